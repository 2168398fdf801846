"""Bodies packed with gzip -> what they hold, or what is wrong with them."""

from __future__ import annotations

from typing import Final

from isal import igzip_lib, isal_zlib

from vivace.backend.receive.answer import Cause, NotTaken
from vivace.backend.receive.intake import MESSAGE_BYTES

TOO_LARGE: Final = f"the request is larger than {MESSAGE_BYTES} bytes; send smaller ones"
MEMBERS: Final = 1 << 16
PIECE_BYTES: Final = 16 << 10
"""So much is given to a member at once: what it leaves, because it has ended, is copied."""
_BEGIN: Final = b"\x1f\x8b"
_GZIP: Final = 31
_NO_GZIP: Final = "the request is not gzip data; send it as its Content-Encoding says, or leave that out"
_TRUNCATED: Final = "the gzip data end too early; send the whole of them"
_MANY: Final = f"the gzip data have more than {MEMBERS} members; pack the request as one"
_FOLLOWED: Final = "the gzip data are followed by something else; send nothing after them"


class _Contents:
    """What is unpacked, and how much more may be."""

    def __init__(self, limit: int) -> None:
        self.parts: list[bytes] = []
        self.room = limit

    def add(self, part: bytes) -> None:
        self.room -= len(part)
        if self.room < 0:
            raise NotTaken(Cause.TOO_LARGE, f"{TOO_LARGE} (decompressed)")
        self.parts.append(part)


def unzipped(body: bytes, limit: int = MESSAGE_BYTES) -> bytes:
    """Decompresses gzip, of several members too, but never to more than a limit. NotTaken when it cannot."""
    if not body.startswith(_BEGIN):
        raise NotTaken(Cause.MALFORMED, _NO_GZIP)
    packed, contents = memoryview(body), _Contents(limit)
    for _ in range(MEMBERS):
        packed = packed[_unpack_member(packed, contents) :]
        if not packed:
            return b"".join(contents.parts)
        if bytes(packed[: len(_BEGIN)]) != _BEGIN:
            raise NotTaken(Cause.MALFORMED, _FOLLOWED)
    raise NotTaken(Cause.MALFORMED, _MANY)


def _unpack_member(packed: memoryview, contents: _Contents) -> int:
    """Adds what the first member holds; returns how long the member is."""
    member, at = isal_zlib.decompressobj(wbits=_GZIP), 0
    while not member.eof and at < len(packed):
        piece = packed[at : at + PIECE_BYTES]
        try:
            contents.add(member.decompress(piece, contents.room + 1))
        except igzip_lib.IsalError as error:  # type: ignore[misc] # the stub makes it a variable
            reason = str(error).partition(" ")[2].partition(" ")[2] or str(error)  # after "Error -6"
            raise NotTaken(Cause.MALFORMED, f"the gzip data are corrupt ({reason.lower()}); send them again") from error
        at += len(piece) - len(member.unused_data)
    if not member.eof:
        raise NotTaken(Cause.MALFORMED, _TRUNCATED)
    return at
