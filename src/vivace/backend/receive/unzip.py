"""Bodies packed with gzip -> what they hold, or what is wrong with them."""

from __future__ import annotations

from typing import Final

from isal import igzip_lib, isal_zlib

from vivace.backend.receive.answer import Cause, NotTaken
from vivace.backend.receive.intake import MESSAGE_BYTES

TOO_LARGE: Final = f"the request is larger than {MESSAGE_BYTES} bytes; send smaller ones"
_BEGIN: Final = b"\x1f\x8b"
_GZIP: Final = 31
_NO_GZIP: Final = "the request is not gzip data; send it as its Content-Encoding says, or leave that out"
_TRUNCATED: Final = "the gzip data end too early; send the whole of them"
_FOLLOWED: Final = "the gzip data are followed by something else; send nothing after them"


def unzipped(body: bytes, limit: int = MESSAGE_BYTES) -> bytes:
    """Decompresses gzip, of several members too, but never to more than a limit. NotTaken when it cannot."""
    if not body.startswith(_BEGIN):
        raise NotTaken(Cause.MALFORMED, _NO_GZIP)
    parts, size = [], 0
    while body:
        part, body = _member(body, limit - size)
        parts.append(part)
        size += len(part)
        if body and not body.startswith(_BEGIN):
            raise NotTaken(Cause.MALFORMED, _FOLLOWED)
    return b"".join(parts)


def _member(body: bytes, limit: int) -> tuple[bytes, bytes]:
    """What the first member holds, and what comes after it."""
    member = isal_zlib.decompressobj(wbits=_GZIP)
    try:
        part = member.decompress(body, limit + 1)
    except igzip_lib.IsalError as error:  # type: ignore[misc] # the stub makes it a variable
        reason = str(error).partition(" ")[2].partition(" ")[2] or str(error)  # after "Error -6"
        raise NotTaken(Cause.MALFORMED, f"the gzip data are corrupt ({reason.lower()}); send them again") from error
    if len(part) > limit:
        raise NotTaken(Cause.TOO_LARGE, f"{TOO_LARGE} (decompressed)")
    if not member.eof:
        raise NotTaken(Cause.MALFORMED, _TRUNCATED)
    return part, member.unused_data
