"""Records of the write-ahead log as bytes: a header that says whose the record is, then a batch of spans."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa
from isal.isal_zlib import crc32

from vivace.backend.store.batch import ENCODED, Batch, decode, encode

TENANT_BYTES: Final = 255
"""The longest name of a tenant."""

_MAGIC: Final = b"vlog"
_FORMAT: Final = 2
_FIELDS: Final = struct.Struct("<4sIQQIIB")
_CHECK: Final = struct.Struct("<I")
_LONGEST_HEAD: Final = _FIELDS.size + TENANT_BYTES + _CHECK.size


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be a record."""

    tenant: str
    payload: pa.Buffer
    """As `payload_of` makes it."""
    spans: int
    received_ns: int
    """Unix time at which the last of it arrived."""

    @property
    def parts(self) -> tuple[memoryview, memoryview]:
        """The record: head and payload."""
        tenant = self.tenant.encode()
        sizes = (self.payload.size, self.received_ns, self.spans, crc32(self.payload), len(tenant))
        head = _FIELDS.pack(_MAGIC, _FORMAT, *sizes) + tenant
        return memoryview(head + _CHECK.pack(crc32(head))), memoryview(self.payload)


class Header(NamedTuple):
    """What stands before a record's payload, itself protected by a checksum."""

    magic: bytes
    format: int
    length: int
    """Of the payload, in bytes."""
    received_ns: int
    spans: int
    checksum: int
    """CRC-32 of the payload."""
    tenant_bytes: int
    tenant: str

    @property
    def head_bytes(self) -> int:
        """How many bytes the payload stands behind."""
        return _FIELDS.size + self.tenant_bytes + _CHECK.size

    @property
    def bytes(self) -> int:
        """The size of the whole record."""
        return self.head_bytes + self.length


def payload_of(batch: Batch) -> pa.Buffer:
    """A batch as the payload of a record."""
    return encode(batch).serialize()


def batch_of(payload: pa.Buffer) -> Batch:
    """The batch of a record's payload, without copying."""
    return decode(pa.ipc.read_record_batch(payload, ENCODED))


def read_record(path: Path, offset: int) -> tuple[Header, pa.Buffer] | None:
    """The valid record at an offset of a file, or None."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        header = _header(os.pread(descriptor, _LONGEST_HEAD, offset))
        if header is None or os.fstat(descriptor).st_size < offset + header.bytes:
            return None
        payload = os.pread(descriptor, header.length, offset + header.head_bytes)
    finally:
        os.close(descriptor)
    return (header, pa.py_buffer(payload)) if crc32(payload) == header.checksum else None


def _header(data: bytes) -> Header | None:
    if len(data) < _FIELDS.size:
        return None
    fields = _FIELDS.unpack_from(data)
    if fields[:2] != (_MAGIC, _FORMAT):
        return None
    end = _FIELDS.size + fields[-1]
    if len(data) < end + _CHECK.size or _CHECK.unpack_from(data, end) != (crc32(data[:end]),):
        return None
    return Header._make((*fields, data[_FIELDS.size : end].decode()))


def next_record(path: Path, offset: int) -> int | None:
    """The offset of the first valid record at or after an offset of a file, or None."""
    contents = path.read_bytes() if path.exists() else b""
    while (offset := contents.find(_MAGIC, offset)) >= 0:
        if read_record(path, offset) is not None:
            return offset
        offset += 1
    return None
