"""The write-ahead log: numbered files of records, each a batch of spans of one tenant that arrived together.

The receiver appends, the indexer follows; a record that was torn by a crash is recognised by its checksum.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from vivace.backend.store.batch import Batch
from vivace.backend.store.folder import DataFolder, sync
from vivace.backend.store.log_committed import CommittedWriter, read_committed
from vivace.backend.store.log_record import Entry, Header, batch_of, next_record, payload_of, read_record
from vivace.backend.store.log_sync import INTERVAL_SECONDS, BackgroundSync, Sync
from vivace.backend.store.manifest import LogPosition

FILE_BYTES: Final = 64 << 20
"""A file that has grown to this size is followed by another."""
_PARTS_AT_ONCE: Final = 1000
"""The system takes no more than 1024."""

__all__ = [
    "Entry",
    "LogReader",
    "LogWriter",
    "Record",
    "Sync",
    "cut_torn_tail",
    "log_file",
    "log_numbers",
    "payload_of",
]


@dataclass(frozen=True, slots=True)
class Record:
    """A record read back; `after` is where the next one begins."""

    tenant: str
    batch: Batch
    received_ns: int
    bytes: int
    after: LogPosition


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes of a log file that hold no valid record; what they were is kept in a file of its own."""

    path: Path
    offset: int
    bytes: int
    kept: Path

    def __str__(self) -> str:
        return f"{self.path}: {self.bytes} bytes at {self.offset} hold no valid record; they are kept in {self.kept}"


def log_file(folder: Path, number: int) -> Path:
    """A file of the log."""
    return folder / f"{number:010d}.log"


def log_numbers(folder: Path) -> list[int]:
    """The numbers of the log's files, ascending."""
    return sorted(int(path.stem) for path in folder.iterdir() if path.suffix == ".log")


class LogWriter:
    """Appends records. One process and one thread at a time may do so."""

    def __init__(
        self,
        folder: Path,
        file_bytes: int = FILE_BYTES,
        first: int = 1,
        sync_when: Sync = Sync.ALWAYS,
        interval_s: float = INTERVAL_SECONDS,
    ) -> None:
        """Commits what is there, and begins a new file after it that has at least number `first`."""
        self._folder = folder
        self._file_bytes = file_bytes
        self._number = max([first - 1, *log_numbers(folder)])
        self._descriptor: int | None = None
        self._failed = False
        self._sync_when = sync_when
        self._background = BackgroundSync(interval_s) if sync_when is Sync.INTERVAL else None
        self._committed = CommittedWriter(folder)
        self._committed.write(LogPosition(self._number, size_of(log_file(folder, self._number))))
        self.position = LogPosition(self._number + 1, 0)
        """Where the next record will begin, unless that begins a new file."""

    def append(self, entries: Sequence[Entry]) -> None:
        """Returns when all are committed: on disk, where the log is synced always.

        Raises OSError when they are not, for instance because the disk is full; then no reader has seen anything of
        them, nothing of them stays, and the next may succeed.
        """
        self._take_back()
        descriptor = self._open()
        try:
            size = _write_all(descriptor, [part for entry in entries for part in entry.parts])
            self._sync(descriptor)
            position = LogPosition(self._number, self.position.offset + size)
            self._committed.write(position)
        except OSError:
            self._failed = True
            with suppress(OSError):
                self._take_back()
            raise
        self.position = position

    def close(self) -> None:
        """Closes the log."""
        try:
            if self._background is not None:
                self._background.stop()
        finally:
            self._close_file()
            self._committed.close()

    def _sync(self, descriptor: int) -> None:
        if self._sync_when is Sync.ALWAYS:
            os.fdatasync(descriptor)
        elif self._background is not None:
            self._background.wrote(self._number, descriptor)

    def _open(self) -> int:
        if self._descriptor is not None and self.position.offset < self._file_bytes:
            return self._descriptor
        self._close_file()
        path = log_file(self._folder, self._number + 1)
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o644)
        self._number += 1
        try:
            sync(self._folder)
        except OSError:
            os.close(descriptor)  # a file that may not be there after a crash is not written to
            raise
        self._descriptor = descriptor
        self.position = LogPosition(self._number, 0)
        return descriptor

    def _close_file(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _take_back(self) -> None:
        """Removes what a failed append left; nothing is appended before that has succeeded.

        After a failed sync nobody knows what is on disk, so another file is begun.
        """
        if not self._failed:
            return
        assert self._descriptor is not None  # noqa: S101 - it was written to
        os.ftruncate(self._descriptor, self.position.offset)
        self._failed = False
        if self.position.offset:
            self._close_file()


def _write_all(descriptor: int, parts: list[memoryview]) -> int:
    size = sum(len(part) for part in parts)
    first = 0
    while first < len(parts):
        written = os.writev(descriptor, parts[first : first + _PARTS_AT_ONCE])
        while first < len(parts) and written >= len(parts[first]):
            written -= len(parts[first])
            first += 1
        if first < len(parts):
            parts[first] = parts[first][written:]
    return size


class LogReader:
    """Follows what is committed from a position. What is damaged is kept aside, passed over and noted."""

    def __init__(self, folder: Path, position: LogPosition) -> None:
        """A position of file 0 is before the first file there is."""
        self._folder = folder
        self.position = position
        self.damages: list[Damage] = []

    def records(self, limit_bytes: int) -> Iterator[Record]:
        """The records that are there now, as long as they begin within so many bytes from the position."""
        taken, committed = 0, read_committed(self._folder)
        while taken < limit_bytes and (record := self._next(committed)) is not None:
            taken += record.bytes
            yield record

    def ahead(self) -> int:
        """How many bytes the log has beyond the position."""
        numbers = [number for number in log_numbers(self._folder) if number >= self.position.file]
        rest = sum(size_of(log_file(self._folder, number)) for number in numbers)
        return rest - min(self.position.offset, size_of(log_file(self._folder, self.position.file)))

    def _next(self, committed: LogPosition) -> Record | None:
        while self.position < committed:
            path = log_file(self._folder, self.position.file)
            end = min(size_of(path), committed.offset if self.position.file == committed.file else sys.maxsize)
            if self.position.offset >= end:
                if not self._follow(committed):
                    return None
            elif (found := read_record(path, self.position.offset)) is not None:
                return self._advance(*found)
            else:
                self._pass_over(path, end)
        return None

    def _follow(self, committed: LogPosition) -> bool:
        """Moves on to the next file that may be read; False when there is none."""
        following = [n for n in log_numbers(self._folder) if self.position.file < n <= committed.file]
        if following:
            self.position = LogPosition(following[0], 0)
        return bool(following)

    def _advance(self, header: Header, payload: pa.Buffer) -> Record:
        self.position = LogPosition(self.position.file, self.position.offset + header.bytes)
        return Record(header.tenant, batch_of(payload), header.received_ns, header.bytes, self.position)

    def _pass_over(self, path: Path, end: int) -> None:
        """Moves on from a place that has no valid record to the next that has one, or to the end."""
        place = next_record(path, self.position.offset + 1)
        place = end if place is None else min(place, end)
        self.damages.append(_kept_aside(path, self.position.offset, place))
        self.position = LogPosition(self.position.file, place)


def size_of(path: Path) -> int:
    """The size of a file, 0 when there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _kept_aside(path: Path, start: int, end: int) -> Damage:
    kept = DataFolder(path.parent.parent).damaged / f"{path.name}-{start}"
    kept.parent.mkdir(exist_ok=True)
    with path.open("rb") as file:
        file.seek(start)
        kept.write_bytes(file.read(end - start))
    return Damage(path, start, end - start, kept)


def cut_torn_tail(folder: Path) -> Damage | None:
    """Removes what a crash left of an unfinished record at the end of the log, and says what it removed.

    Damage that valid records follow is left to the reader, which passes over it.
    """
    numbers = log_numbers(folder)
    if not numbers:
        return None
    path, offset = log_file(folder, numbers[-1]), 0
    while (found := read_record(path, offset)) is not None:
        offset += found[0].bytes
    size = size_of(path)
    if offset == size or next_record(path, offset + 1) is not None:
        return None
    damage = _kept_aside(path, offset, size)
    os.truncate(path, offset)
    sync(path)
    return damage
