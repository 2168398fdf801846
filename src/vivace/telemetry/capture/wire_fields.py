"""Protobuf's wire format, as far as framing messages needs it: varints, fields with a length, tags."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

LENGTH: Final = 2
SIZES: Final = {1: 8, 5: 4}
VARINT_BYTES: Final = 10


def varint(data: bytes | memoryview, at: int) -> tuple[int, int] | None:
    """Value and end of the varint at `at`; None when it does not end."""
    value = 0
    for place in range(at, min(len(data), at + VARINT_BYTES)):
        value |= (data[place] & 0x7F) << (7 * (place - at))
        if data[place] < 0x80:
            return value, place + 1
    return None


def encoded_varint(value: int) -> bytes:
    """The varint of a number that is not negative."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def delimited(number: int, content: bytes) -> bytes:
    """The field `number` with this content."""
    return encoded_varint(number << 3 | LENGTH) + encoded_varint(len(content)) + content


def fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Tag and content (empty unless it has a length) of each field; stops where the data is not well formed."""
    at = 0
    while at < len(data):
        tag = varint(data, at)
        if tag is None:
            return
        number, at = tag
        wire = number & 7
        value = varint(data, at) if wire in {0, LENGTH} else (0, at + SIZES.get(wire, len(data)))
        if value is None:
            return
        size, begin = value if wire == LENGTH else (0, value[1])
        yield number, data[begin : begin + size]
        at = begin + size
