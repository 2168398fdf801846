"""Finds the messages at the end of a path in OTLP bytes without reading what is in them."""

from __future__ import annotations

from typing import Final, TypeAlias

LENGTH: Final = 2
FIXED_SIZE: Final = {1: 8, 5: 4}

Extent: TypeAlias = "tuple[int, int]"
"""Where a message's content starts and stops."""


def members(data: bytes, path: tuple[int, ...], whole: Extent) -> list[Extent]:
    """The messages reached by these field numbers, one after the other; ValueError when the bytes do not add up."""
    extents = [whole]
    try:
        for number in path:
            extents = [inner for start, stop in extents for inner in _fields(data, start, stop, number << 3 | LENGTH)]
    except IndexError:
        raise ValueError("not OTLP, or truncated: a field does not end") from None
    return extents


def _fields(data: bytes, at: int, stop: int, wanted: int) -> list[Extent]:
    """The fields of one message with this tag. Written out, since a request has thousands of them."""
    found: list[Extent] = []
    while at < stop:
        tag = data[at]
        at += 1
        if tag > 0x7F:
            tag, at = _varint(data, at - 1)
        if tag & 7 == LENGTH:
            size = data[at]
            at += 1
            if size > 0x7F:
                byte = data[at]
                at += 1
                size, at = (size & 0x7F | byte << 7, at) if byte < 0x80 else _varint(data, at - 2)
            if tag == wanted:
                found.append((at, at + size))
            at += size
        elif tag & 7 == 0:
            at = _varint(data, at)[1]
        else:
            at += _fixed_size(tag)
    if at != stop:
        raise ValueError("not OTLP, or truncated: a field does not end")
    return found


def _fixed_size(tag: int) -> int:
    size = FIXED_SIZE.get(tag & 7)
    if size is None:
        raise ValueError("not OTLP: a field of an unknown wire type")
    return size


def _varint(data: bytes, at: int) -> Extent:
    """Value and end."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("not OTLP: a varint does not end")
