"""Header compression (HPACK, RFC 7541): reads any peer's header blocks, and writes those of the same request over and
over in a few bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from vivace.send.call import Field
from vivace.send.connection import ProtocolError
from vivace.send.http2.frames import DEFAULT_TABLE
from vivace.send.http2.huffman import decode

_STATIC_TEXT: Final = """:authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https
:status=200|:status=204|:status=206|:status=304|:status=400|:status=404|:status=500|accept-charset
accept-encoding=gzip, deflate|accept-language|accept-ranges|accept|access-control-allow-origin|age|allow
authorization|cache-control|content-disposition|content-encoding|content-language|content-length|content-location
content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match
if-range|if-unmodified-since|last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range
referer|refresh|retry-after|server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via
www-authenticate"""
STATIC: Final = tuple(
    (name.encode(), value.encode())
    for name, _, value in (entry.partition("=") for entry in _STATIC_TEXT.replace("\n", "|").split("|"))
)
"""Appendix A; entry 1 of the RFC is the first here."""

ENTRY_OVERHEAD: Final = 32
MOST_REMEMBERED: Final = 256


def entry_size(field: Field) -> int:
    """What an entry takes of a table's size."""
    return len(field[0]) + len(field[1]) + ENTRY_OVERHEAD


class HeaderReader:
    """Reads the header blocks of one connection in their order. A block that was read before, and since when nothing
    entered the table, is known by its bytes; in the long run these are all."""

    def __init__(self) -> None:
        self._table: list[Field] = []  # the newest first
        self._limit = DEFAULT_TABLE
        self._known: dict[bytes, tuple[Field, ...]] = {}

    def read(self, block: bytes) -> tuple[Field, ...]:
        """The fields; ProtocolError when the block cannot be read."""
        known = self._known.get(block)
        if known is not None:
            return known
        try:
            fields = tuple(self._fields(block))
        except (IndexError, ValueError) as error:
            raise ProtocolError(f"headers that cannot be read: {error}") from error
        if len(self._known) < MOST_REMEMBERED and self._only_reads(block):
            self._known[block] = fields
        return fields

    def _fields(self, block: bytes) -> Iterator[Field]:
        at = 0
        while at < len(block):
            first = block[at]
            if first & 0x80:
                index, at = read_integer(block, at, 7)
                yield self._entry(index)
            elif first & 0xE0 == 0x20:
                size, at = read_integer(block, at, 5)
                self._resize(size)
            else:
                field, at = self._literal(block, at, 6 if first & 0x40 else 4)
                if first & 0x40:
                    self._insert(field)
                yield field

    def _literal(self, block: bytes, at: int, bits: int) -> tuple[Field, int]:
        index, at = read_integer(block, at, bits)
        if index:
            name = self._entry(index)[0]
        else:
            name, at = _read_string(block, at)
        value, at = _read_string(block, at)
        return (name, value), at

    def _entry(self, index: int) -> Field:
        if index == 0:
            raise ValueError("index 0")
        return STATIC[index - 1] if index <= len(STATIC) else self._table[index - len(STATIC) - 1]

    def _insert(self, field: Field) -> None:
        self._known.clear()
        self._table.insert(0, field)
        self._evict()

    def _resize(self, size: int) -> None:
        if size > DEFAULT_TABLE:
            raise ValueError("a table larger than was agreed")
        self._known.clear()
        self._limit = size
        self._evict()

    def _evict(self) -> None:
        while sum(map(entry_size, self._table)) > self._limit:
            self._table.pop()

    @staticmethod
    def _only_reads(block: bytes) -> bool:
        """Whether all is indexed or literals that are not kept: then the same bytes mean the same again."""
        at = 0
        while at < len(block):
            first = block[at]
            if not first & 0x80 and first & 0x60:
                return False
            index, at = read_integer(block, at, 7 if first & 0x80 else 4)
            for _ in range(0 if first & 0x80 else 1 if index else 2):
                length, at = read_integer(block, at, 7)
                at += length
        return True


class HeaderWriter:
    """Writes the same fields again and again: in full at first, by reference to the peer's table from then on."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = fields
        self._kept = [field for field in fields if field not in STATIC]
        fits = self._size() <= DEFAULT_TABLE
        self._block = self._full(keep=fits)
        self._next = b"".join(map(self._reference, fields)) if fits else self._block

    def block(self) -> bytes:
        """The next header block of the connection."""
        block, self._block = self._block, self._next
        return block

    def limit(self, table: int) -> None:
        """The peer wants to remember only so many bytes of fields, fewer than by default, and to be told so.

        When these fields are more, they are written in full each time.
        """
        if self._size() <= table:
            self._block = write_integer(table, 5, 0x20) + self._block
        else:
            self._next = self._full(keep=False)
            self._block = write_integer(0, 5, 0x20) + self._next

    def _size(self) -> int:
        return sum(map(entry_size, self._kept))

    def _full(self, keep: bool) -> bytes:
        return b"".join(
            self._reference(field) if field in STATIC else _literal(field, keep=keep) for field in self._fields
        )

    def _reference(self, field: Field) -> bytes:
        if field in STATIC:
            return write_integer(STATIC.index(field) + 1, 7, 0x80)
        newer = len(self._kept) - 1 - self._kept.index(field)
        return write_integer(len(STATIC) + 1 + newer, 7, 0x80)


def plain_block(fields: Sequence[Field]) -> bytes:
    """A header block that leaves the peer's table as it is."""
    return b"".join(
        write_integer(STATIC.index(field) + 1, 7, 0x80) if field in STATIC else _literal(field, keep=False)
        for field in fields
    )


def _literal(field: Field, keep: bool) -> bytes:
    return (b"\x40" if keep else b"\x00") + b"".join(write_integer(len(text), 7, 0) + text for text in field)


def write_integer(value: int, bits: int, first: int) -> bytes:
    """An integer whose first `bits` bits share a byte with the higher bits of `first`."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    written, value = bytearray([first | most]), value - most
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def read_integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """Value and end of an integer that begins in the last `bits` bits of the byte at `at`."""
    most = (1 << bits) - 1
    value = block[at] & most
    at += 1
    if value < most:
        return value, at
    for shift in range(0, 35, 7):
        byte = block[at]
        at += 1
        value += (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("an integer does not end")


def _read_string(block: bytes, at: int) -> tuple[bytes, int]:
    packed = block[at] & 0x80
    length, at = read_integer(block, at, 7)
    text = block[at : at + length]
    if len(text) < length:
        raise ValueError("a string does not end")
    return decode(text) if packed else text, at + length
