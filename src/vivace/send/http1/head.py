"""Headers of HTTP/1.1 messages (RFC 9112): reading them, and what they say about the body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vivace.send.call import Field
from vivace.send.connection import ProtocolError

LONGEST_HEAD: Final = 1 << 16
LONGEST_CHUNK_LINE: Final = 256


def fields_of(lines: bytes) -> tuple[Field, ...]:
    """Header lines; names in small letters. ProtocolError when one is none."""
    return tuple(_field(line) for line in lines.split(b"\r\n") if line)


def _field(line: bytes) -> Field:
    name, colon, value = line.partition(b":")
    if not colon or not name or name != name.strip():
        raise ProtocolError("headers that cannot be read")
    return name.lower(), value.strip()


def body_length(named: Mapping[bytes, bytes]) -> int | None:
    """The length that the headers give; None when they give none. ProtocolError when it is no number."""
    text = named.get(b"content-length")
    if text is None or is_chunked(named):
        return None
    if not text.isdigit():
        raise ProtocolError("a content-length that is no number")
    return int(text)


def is_chunked(named: Mapping[bytes, bytes]) -> bool:
    return named.get(b"transfer-encoding", b"").lower().endswith(b"chunked")


def keeps_alive(version: bytes, named: Mapping[bytes, bytes]) -> bool:
    """Whether the connection can take another request afterwards."""
    wish = named.get(b"connection", b"").lower()
    return b"close" not in wish and (version == b"HTTP/1.1" or b"keep-alive" in wish)


def unchunked(data: bytearray, start: int) -> tuple[bytes, int] | None:
    """The body in chunks that begins at `start`, and where it ends; None when it is not whole yet."""
    parts: list[bytes] = []
    at = start
    while True:
        line_end = data.find(b"\r\n", at)
        if line_end < 0:
            if len(data) - at > LONGEST_CHUNK_LINE:
                raise ProtocolError("a chunk without a size")
            return None
        size = _chunk_size(bytes(data[at:line_end]))
        if size == 0:
            end = _trailers_end(data, line_end)
            return None if end is None else (b"".join(parts), end)
        at = line_end + 2 + size + 2
        if len(data) < at:
            return None
        parts.append(bytes(data[line_end + 2 : at - 2]))


def _chunk_size(line: bytes) -> int:
    try:
        size = int(line.partition(b";")[0], 16)
    except ValueError:
        raise ProtocolError("a chunk without a size") from None
    if size < 0:
        raise ProtocolError("a chunk without a size")
    return size


def _trailers_end(data: bytearray, line_end: int) -> int | None:
    """After the last chunk come trailers, if any, and an empty line."""
    if data[line_end : line_end + 4] == b"\r\n\r\n":
        return line_end + 4
    end = data.find(b"\r\n\r\n", line_end)
    return None if end < 0 else end + 4
