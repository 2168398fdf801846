"""A unit of storage as a query sees it: an immutable set of tables of which single columns are read.

Where the tables lie (memory, a segment's mapped file, a block's Parquet files) is the source's business.
"""

from __future__ import annotations

import errno
import uuid
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from threading import Lock
from typing import Final, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from vivace.backend.store.tables import AttributeColumn, Tables, attribute_columns
from vivace.backend.tenant.identity import SINGLE_TENANT

CACHE_BYTES: Final = 1 << 30
READ_ERRORS: Final = (pa.ArrowException, OSError, ValueError, LookupError, zlib.error)
"""What comes of reading files that are damaged or gone."""

T = TypeVar("T")


class UnitKind(StrEnum):
    """A segment is small and new, a block is large and compressed."""

    SEGMENT = "segment"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class UnitInfo:
    """What the manifest knows of a unit. Times are Unix ns: the earliest start and the latest end of its spans."""

    id: str
    kind: UnitKind
    spans: int
    traces: int
    start_ns: int
    end_ns: int
    bytes: int
    tenant: str = SINGLE_TENANT
    level: int = 0
    """How often what is in it was compacted; what was cut from the log is of level 0."""
    arrived_ns: int = 0
    """When the last of its spans arrived, whatever these say of themselves; 0 where that was not noted yet."""

    @property
    def aging_from_ns(self) -> int:
        """From when on its age counts: where nobody knows when it arrived, that is the end of its latest span."""
        return self.arrived_ns or self.end_ns


class UnreadableUnit(OSError):
    """A unit that is damaged, or gone; what does not need it can go on."""

    def __init__(self, unit: UnitInfo, error: Exception) -> None:
        reason = " ".join(str(error).split())
        super().__init__(f"{unit.kind} {unit.id} of {unit.tenant}, with {unit.spans} spans, cannot be read: {reason}")
        self.unit = unit
        self.damaged = is_damage(error) and not isinstance(error, FileNotFoundError)
        """False when it is not there, or when it is not its own fault that it cannot be read."""


def is_damage(error: Exception) -> bool:
    """Whether it is the fault of what was read, and not of what it takes to read: memory, open files, a network."""
    if isinstance(error, OSError):
        return error.errno in {None, errno.EIO, errno.ENOENT}
    return not isinstance(error, MemoryError)


class Source(Protocol):
    """Where a unit's tables lie. Every column read is one chunk."""

    def names(self, table: str) -> list[str]:
        """The names of a table's columns, in order."""

    def rows(self, table: str) -> int:
        """The number of rows of a table."""

    def column(self, table: str, name: str) -> pa.Array:
        """A column that the table has."""

    def slice(self, table: str, first: int, count: int) -> pa.RecordBatch:
        """All columns of some rows."""

    def filled(self, table: str, first: int, count: int) -> pa.RecordBatch:
        """The columns that have a value in any of some rows, and perhaps others."""


class ColumnCache:
    """Keeps the columns that were used last, up to a number of bytes. Safe for use by several threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self._columns: OrderedDict[tuple[str, str, str], pa.Array] = OrderedDict()
        self._lock = Lock()

    def get(self, key: tuple[str, str, str], load: Callable[[], pa.Array]) -> pa.Array:
        """The column under a key of unit, table and name; loaded when it is not there."""
        with self._lock:
            if key in self._columns:
                self._columns.move_to_end(key)
                return self._columns[key]
        column = load()
        with self._lock:
            if key not in self._columns:
                self._columns[key] = column
                self._bytes += column.nbytes
            while self._bytes > self._limit and self._columns:
                _, evicted = self._columns.popitem(last=False)
                self._bytes -= evicted.nbytes
        return column

    def forget(self, unit: str) -> None:
        """Drops the columns of a unit that will not be asked for again."""
        with self._lock:
            for key in [key for key in self._columns if key[0] == unit]:
                self._bytes -= self._columns.pop(key).nbytes


class Unit:
    """An immutable set of tables; see `tables` for what they hold."""

    def __init__(
        self,
        info: UnitInfo,
        source: Source,
        cache: ColumnCache | None = None,
        notice: Callable[[UnreadableUnit], None] = lambda _: None,
    ) -> None:
        """Columns are kept in the cache, if one is given; a source that has them in memory anyway needs none.

        Whatever reads raises UnreadableUnit when that is not possible; `notice` is told before.
        """
        self.info = info
        self._source = source
        self._cache = cache
        self._notice = notice
        self._attribute_columns = lru_cache(maxsize=None)(self._read_attribute_columns)
        self._names = lru_cache(maxsize=None)(self._read_names)

    @classmethod
    def in_memory(cls, tables: Tables) -> Unit:
        """A unit of tables that are in memory."""
        return cls(unit_info(uuid.uuid4().hex, UnitKind.SEGMENT, tables, tables.nbytes), TablesSource(tables))

    def column(self, table: str, name: str) -> pa.Array | None:
        """A column, decoded, as one chunk; None when the unit has no such column."""
        if name not in self._names(table):
            return None
        if self._cache is None:
            return self._read(lambda: self._source.column(table, name))
        return self._cache.get(
            (self.info.id, table, name), lambda: self._read(lambda: self._source.column(table, name))
        )

    def attribute_columns(self, table: str) -> tuple[AttributeColumn, ...]:
        """The attribute columns of a table, ordered by name."""
        return self._attribute_columns(table)

    def rows(self, table: str) -> int:
        """The number of rows of a table."""
        return self._read(lambda: self._source.rows(table))

    def slice(self, table: str, first: int, count: int) -> pa.RecordBatch:
        """All columns of the rows from `first`; of a block only what holds these rows is read and decoded."""
        return self._read(lambda: self._source.slice(table, first, count))

    def filled(self, table: str, first: int, count: int) -> pa.RecordBatch:
        """The rows from `first` without columns that are known to have no value in any of them."""
        return self._read(lambda: self._source.filled(table, first, count))

    def _read_attribute_columns(self, table: str) -> tuple[AttributeColumn, ...]:
        return attribute_columns(table, self._read(lambda: self._source.names(table)))

    def _read_names(self, table: str) -> frozenset[str]:
        return frozenset(self._read(lambda: self._source.names(table)))

    def _read(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except READ_ERRORS as error:
            unreadable = UnreadableUnit(self.info, error)
            self._notice(unreadable)
            raise unreadable from error


class TablesSource:
    """Tables in memory."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def names(self, table: str) -> list[str]:
        """See Source."""
        names: list[str] = self._tables[table].schema.names
        return names

    def rows(self, table: str) -> int:
        """See Source."""
        rows: int = self._tables[table].num_rows
        return rows

    def column(self, table: str, name: str) -> pa.Array:
        """See Source."""
        return self._tables[table].column(name)

    def slice(self, table: str, first: int, count: int) -> pa.RecordBatch:
        """See Source."""
        return self._tables[table].slice(first, count)

    def filled(self, table: str, first: int, count: int) -> pa.RecordBatch:
        """See Source."""
        return self.slice(table, first, count)


def unit_info(
    identity: str,
    kind: UnitKind,
    tables: Tables,
    size: int,
    *,
    tenant: str = SINGLE_TENANT,
    level: int = 0,
    arrived_ns: int = 0,
) -> UnitInfo:
    """Describes tables that are, or will be, a unit of so many bytes."""
    start = tables.spans.column("start").to_numpy()
    end = start + tables.spans.column("duration").to_numpy()
    empty = len(start) == 0
    return UnitInfo(
        id=identity,
        kind=kind,
        spans=len(start),
        traces=tables.traces.num_rows,
        start_ns=0 if empty else int(start.min()),
        end_ns=0 if empty else int(np.maximum(start, end).max()),
        bytes=size,
        tenant=tenant,
        level=level,
        arrived_ns=arrived_ns,
    )
