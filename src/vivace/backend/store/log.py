"""The write-ahead log: numbered files of records, each a batch of spans that arrived together.

The receiver appends, the indexer follows; a record that was torn by a crash is recognised by its checksum.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

import pyarrow as pa

from vivace.backend.store.batch import ENCODED, Batch, decode, encode
from vivace.backend.store.folder import sync
from vivace.backend.store.manifest import LogPosition

FILE_BYTES: Final = 64 << 20
"""A file that has grown to this size is followed by another."""

_MAGIC: Final = b"vlog"
_FORMAT: Final = 1
_HEADER: Final = struct.Struct("<4sIQQII")
_HEADER_CHECK: Final = struct.Struct("<I")
HEADER_BYTES: Final = _HEADER.size + _HEADER_CHECK.size


class Header(NamedTuple):
    """What stands before a record's payload."""

    magic: bytes
    format: int
    length: int
    """Of the payload, in bytes."""
    received_ns: int
    """Unix time at which the last of the batch arrived."""
    spans: int
    checksum: int
    """CRC-32 of the payload."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record read back; `after` is where the next one begins."""

    batch: Batch
    received_ns: int
    bytes: int
    after: LogPosition


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes of a log file that hold no valid record."""

    path: Path
    offset: int
    bytes: int

    def __str__(self) -> str:
        return f"{self.path}: {self.bytes} bytes at {self.offset} hold no valid record"


def payload_of(batch: Batch) -> pa.Buffer:
    """A batch as the payload of a record."""
    return encode(batch).serialize()


def batch_of(payload: pa.Buffer) -> Batch:
    """The batch of a record's payload, without copying."""
    return decode(pa.ipc.read_record_batch(payload, ENCODED))


def log_file(folder: Path, number: int) -> Path:
    """A file of the log."""
    return folder / f"{number:010d}.log"


def log_numbers(folder: Path) -> list[int]:
    """The numbers of the log's files, ascending."""
    return sorted(int(path.stem) for path in folder.glob("*.log"))


class LogWriter:
    """Appends records. One process and one thread at a time may do so."""

    def __init__(self, folder: Path, file_bytes: int = FILE_BYTES, first: int = 1) -> None:
        """Begins a new file after all that exist, and at least number `first`."""
        self._folder = folder
        self._file_bytes = file_bytes
        self._number = max([first - 1, *log_numbers(folder)])
        self._descriptor: int | None = None
        self.position = LogPosition(self._number + 1, 0)
        """Where the next record will begin, unless that begins a new file."""

    def append(self, payload: pa.Buffer, received_ns: int, spans: int) -> None:
        """Returns when the record is on disk.

        Raises OSError when it is not, for instance because the disk is full; then nothing of it stays, and the next
        record may succeed.
        """
        descriptor = self._open()
        header = _HEADER.pack(_MAGIC, _FORMAT, payload.size, received_ns, spans, crc32(payload))
        start = self.position.offset
        try:
            _write_all(descriptor, header + _HEADER_CHECK.pack(crc32(header)), payload)
        except OSError:
            os.ftruncate(descriptor, start)
            raise
        try:
            os.fdatasync(descriptor)
        except OSError:
            self._abandon(descriptor, start)
            raise
        self.position = LogPosition(self._number, start + HEADER_BYTES + payload.size)

    def close(self) -> None:
        """Closes the current file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        if self._descriptor is not None and self.position.offset < self._file_bytes:
            return self._descriptor
        self.close()
        path = log_file(self._folder, self._number + 1)
        self._descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o644)
        self._number += 1
        self.position = LogPosition(self._number, 0)
        sync(self._folder)
        return self._descriptor

    def _abandon(self, descriptor: int, start: int) -> None:
        """After a failed sync nobody knows what is on disk: the record is taken back, and another file begun."""
        try:
            os.ftruncate(descriptor, start)
        finally:
            self.close()


def _write_all(descriptor: int, header: bytes, payload: pa.Buffer) -> None:
    parts = [memoryview(header), memoryview(payload)]
    while parts:
        written = os.writev(descriptor, parts)
        while parts and written >= len(parts[0]):
            written -= len(parts.pop(0))
        if parts:
            parts[0] = parts[0][written:]


class LogReader:
    """Follows the log from a position. What is damaged is passed over and noted."""

    def __init__(self, folder: Path, position: LogPosition) -> None:
        """A position of file 0 is before the first file there is."""
        self._folder = folder
        self.position = position
        self.damages: list[Damage] = []

    def records(self, limit_bytes: int) -> Iterator[Record]:
        """The records that are there now, as long as they begin within so many bytes from the position."""
        taken = 0
        while taken < limit_bytes and (record := self._next()) is not None:
            taken += record.bytes
            yield record

    def ahead(self) -> int:
        """How many bytes the log has beyond the position."""
        numbers = [number for number in log_numbers(self._folder) if number >= self.position.file]
        rest = sum(size_of(log_file(self._folder, number)) for number in numbers)
        return rest - min(self.position.offset, size_of(log_file(self._folder, self.position.file)))

    def _next(self) -> Record | None:
        while True:
            following = self._following()  # asked before reading: a file that is followed by another grows no more
            path = log_file(self._folder, self.position.file)
            found = read_record(path, self.position.offset)
            if found is not None:
                return self._advance(*found)
            if following is None:
                return None
            self._pass_over(path, following)

    def _following(self) -> int | None:
        return next((number for number in log_numbers(self._folder) if number > self.position.file), None)

    def _advance(self, header: Header, payload: pa.Buffer) -> Record:
        size = HEADER_BYTES + header.length
        self.position = LogPosition(self.position.file, self.position.offset + size)
        return Record(batch_of(payload), header.received_ns, size, self.position)

    def _pass_over(self, path: Path, following: int) -> None:
        """Moves on from a place that has no valid record, to the next that has one or to the following file."""
        place = next_record(path, self.position.offset + 1)
        end = size_of(path) if place is None else place
        if end > self.position.offset:
            self.damages.append(Damage(path, self.position.offset, end - self.position.offset))
        self.position = LogPosition(following, 0) if place is None else LogPosition(self.position.file, place)


def size_of(path: Path) -> int:
    """The size of a file, 0 when there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def read_record(path: Path, offset: int) -> tuple[Header, pa.Buffer] | None:
    """The valid record at an offset of a file, or None."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        header = _header(os.pread(descriptor, HEADER_BYTES, offset))
        if header is None or os.fstat(descriptor).st_size < offset + HEADER_BYTES + header.length:
            return None
        payload = os.pread(descriptor, header.length, offset + HEADER_BYTES)
    finally:
        os.close(descriptor)
    return (header, pa.py_buffer(payload)) if crc32(payload) == header.checksum else None


def _header(data: bytes) -> Header | None:
    if len(data) < HEADER_BYTES:
        return None
    fields, (check,) = data[: _HEADER.size], _HEADER_CHECK.unpack(data[_HEADER.size :])
    header = Header(*_HEADER.unpack(fields))
    valid = header.magic == _MAGIC and header.format == _FORMAT and crc32(fields) == check
    return header if valid else None


def next_record(path: Path, offset: int) -> int | None:
    """The offset of the first valid record at or after an offset of a file, or None."""
    contents = path.read_bytes() if path.exists() else b""
    while (offset := contents.find(_MAGIC, offset)) >= 0:
        if read_record(path, offset) is not None:
            return offset
        offset += 1
    return None


def cut_torn_tail(folder: Path) -> Damage | None:
    """Removes what a crash left of an unfinished record at the end of the log, and says what it removed.

    Damage that valid records follow is left to the reader, which passes over it.
    """
    numbers = log_numbers(folder)
    if not numbers:
        return None
    path, offset = log_file(folder, numbers[-1]), 0
    while (found := read_record(path, offset)) is not None:
        offset += HEADER_BYTES + found[0].length
    size = size_of(path)
    if offset == size or next_record(path, offset + 1) is not None:
        return None
    os.truncate(path, offset)
    sync(path)
    return Damage(path, offset, size - offset)
