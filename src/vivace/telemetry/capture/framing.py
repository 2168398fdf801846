"""Binary captures as single messages: one large OTLP message, or a sequence with a length before each."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from vivace.telemetry.capture.refusal import Place
from vivace.telemetry.capture.source import COMPRESSIONS, Source, too_large
from vivace.telemetry.capture.wire_fields import VARINT_BYTES, encoded_varint, varint

ENTRY: Final = 0x0A
"""The tag of field 1: an entry (of resource, scopes and items) in a message, and the resource in an entry."""
PARTS: Final = frozenset({0x0A, 0x12, 0x1A})
"""Tags in an entry: resource, scope with items, schema."""
BIG_ENDIAN_BYTES: Final = 4


class Framing(StrEnum):
    """How messages follow each other."""

    NONE = "one message"
    BIG_ENDIAN = "messages, each after its length as a 32-bit number"
    VARINT = "messages, each after its length as a varint"


def framing(head: bytes, largest: int) -> Framing | None:
    """How a binary capture that begins with `head` is framed; None when it holds no OTLP."""
    if _begins_message(head, 0, None):
        return Framing.NONE
    length = int.from_bytes(head[:BIG_ENDIAN_BYTES], "big")
    if 0 < length <= largest and _begins_packed_or_message(head, BIG_ENDIAN_BYTES, length):
        return Framing.BIG_ENDIAN
    size = varint(head, 0)
    if size is not None and _begins_message(head, size[1], size[1] + size[0]):
        return Framing.VARINT
    return None


def messages(source: Source, kind: Framing, largest: int) -> Iterator[tuple[Place, bytes]]:
    """Each message and where it starts; a message without framing is given entry by entry, each a message by itself.

    Raises TemplateError when one is cut off, or has more than `largest` bytes.
    """
    take = {Framing.NONE: _entry, Framing.BIG_ENDIAN: _after_length, Framing.VARINT: _after_varint}[kind]
    while True:
        place = source.place
        message = take(source, largest)
        if message is None:
            return
        yield place, message


def _begins_packed_or_message(head: bytes, at: int, length: int) -> bool:
    """The Collector's file exporter packs each message by itself, whether in JSON or not."""
    return head.startswith((*COMPRESSIONS, b"{", b"["), at) or _begins_message(head, at, at + length)


def _begins_message(head: bytes, at: int, stop: int | None) -> bool:
    """Whether an OTLP message can stand here: an entry that begins with a resource, a scope or a schema."""
    if head[at : at + 1] != bytes([ENTRY]):
        return False
    size = varint(head, at + 1)
    if size is None:
        return False
    length, begin = size
    if stop is not None and begin + length > stop:
        return False
    if length == 0 or begin >= len(head):
        return stop is None or begin + length == stop
    inner = varint(head, begin + 1)
    return head[begin] in PARTS and (inner is None or inner[1] + inner[0] <= begin + length)


def _entry(source: Source, largest: int) -> bytes | None:
    place, tag = source.place, source.read(1)
    if not tag:
        return None
    if tag[0] != ENTRY:
        raise place.refusal("is not OTLP: no entry starts here", "cut the file at that byte, or capture anew")
    size = _size(source, place)
    return tag + encoded_varint(size) + _content(source, place, size, largest)


def _after_varint(source: Source, largest: int) -> bytes | None:
    place = source.place
    first = source.read(1)
    return _content(source, place, _size(source, place, first), largest) if first else None


def _after_length(source: Source, largest: int) -> bytes | None:
    place, size = source.place, source.read(BIG_ENDIAN_BYTES)
    if not size:
        return None
    if len(size) < BIG_ENDIAN_BYTES:
        raise place.refusal("ends in the middle of a length", "cut the file at that byte, or capture anew")
    return _content(source, place, int.from_bytes(size, "big"), largest)


def _size(source: Source, place: Place, data: bytes = b"") -> int:
    """The varint that comes next, of which `data` has been read already."""
    while len(data) < VARINT_BYTES:
        if data and data[-1] < 0x80:
            value = varint(data, 0)
            return value[0] if value else 0
        byte = source.read(1)
        if not byte:
            raise place.refusal("ends in the middle of a length", "cut the file at that byte, or capture anew")
        data += byte
    raise place.refusal("is not OTLP: a length does not end", "cut the file at that byte, or capture anew")


def _content(source: Source, place: Place, size: int, largest: int) -> bytes:
    if size > largest:
        raise too_large(place, "message", largest)
    data = source.read(size)
    if len(data) < size:
        raise place.refusal(
            f"ends in the middle of a message of {size} bytes, of which {len(data)} are there",
            "cut the file at that byte, or capture anew",
        )
    return data
