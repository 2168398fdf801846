"""A block that is read a range of traces at a time, each as tables of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vivace.backend.store.block import BlockSource
from vivace.backend.store.overflow import joined, overflow_of_columns, placed
from vivace.backend.store.tables import FIXED, Tables, attribute_columns
from vivace.backend.store.unit import READ_ERRORS

SLICED: Final = ("spans", "events", "links")
"""Tables of which a range has the rows of its traces."""
SHARED: Final = ("resources", "scopes")
"""Tables of which it has the whole."""
WHOLE: Final = (*SHARED, "overflow")
REFERENCES: Final = (
    ("traces", "first", "spans"),
    ("spans", "trace", "traces"),
    ("events", "span", "spans"),
    ("links", "span", "spans"),
)
"""Columns that count rows of a table of which a range has a part."""

Rows = npt.NDArray[np.int64]


class Unreadable(Exception):
    """A block that cannot be read."""

    def __init__(self, block: str, reason: str) -> None:
        super().__init__(reason)
        self.block = block


class Input:
    """A block; Unreadable comes from whatever reads it."""

    def __init__(self, folder: Path) -> None:
        """All files are opened: they stay readable when the block is removed, until they are closed."""
        self._block = folder.name
        with self._reading():
            self._source = source = BlockSource(folder)
            self._schemas = {table: source.schema(table) for table in SLICED}
            self.cells = sum(source.rows(table) * len(source.names(table)) for table in WHOLE)
            """How many values there are in the tables that are in memory whole, once part of the block is read."""
            self.traces = source.slice("traces", 0, source.rows("traces"))
            self._first = self._first_rows(self.traces)
            self._whole = lru_cache(maxsize=1)(self._read_whole)

    def close(self) -> None:
        """Closes the files."""
        self._source.close()

    def _first_rows(self, traces: pa.RecordBatch) -> Mapping[str, Rows]:
        """By table, the first row of each trace, and the number of all."""
        spans = np.append(traces.column("first").to_numpy(), self._source.rows("spans")).astype(np.int64)
        first = {"traces": np.arange(traces.num_rows + 1), "spans": spans}
        for table in ("events", "links"):
            first[table] = np.searchsorted(self._source.column(table, "span").to_numpy(), spans).astype(np.int64)
        return first

    @property
    def weights(self) -> Rows:
        """By trace: how many rows it has in all tables."""
        weights: Rows = np.sum([np.diff(self._first[table]) for table in SLICED], axis=0, dtype=np.int64)
        return weights

    def names(self, table: str) -> frozenset[str]:
        """The attribute columns of a table."""
        return frozenset(self._schemas[table].names) - {*FIXED[table].names}

    def rows(self, table: str) -> int:
        """The number of rows of a table."""
        return self._source.rows(table)

    def filled(self, table: str, name: str) -> int:
        """How many rows have a value in a column."""
        if name not in self._schemas[table].names:
            return 0
        with self._reading():
            return int(self._source.rows(table) - self._source.column(table, name).null_count)

    def may_lack(self, table: str, name: str) -> bool:
        """Whether a row of the table may be without a value in a column."""
        place = self._schemas[table].get_field_index(name)
        return self._source.rows(table) > 0 and (place < 0 or self._schemas[table].field(place).nullable)

    def part(self, start: int, stop: int, columns: Mapping[str, frozenset[str]]) -> Tables:
        """The traces from one to another; attributes without a column are in the overflow."""
        first = {table: int(rows[start]) for table, rows in self._first.items()}
        count = {table: int(rows[stop]) - int(rows[start]) for table, rows in self._first.items()}
        with self._reading():
            tables = {**self._whole(), "traces": self.traces.slice(start, stop - start)}
            tables |= {table: self._source.slice(table, first[table], count[table]) for table in SLICED}
        for table, column, target in REFERENCES:
            tables[table] = counted_from(tables[table], column, -first[target])
        outside = []
        for table in SLICED:
            tables[table], moved = _reduced(table, tables[table], columns[table])
            outside += moved
        outside.append(_part_of_overflow(tables["overflow"], first, count))  # of a key that repeats, what comes later
        return Tables(**{**tables, "overflow": joined(outside)})

    def _read_whole(self) -> Mapping[str, pa.RecordBatch]:
        return {table: self._source.slice(table, 0, self._source.rows(table)) for table in WHOLE}

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except READ_ERRORS as error:
            raise Unreadable(self._block, " ".join(str(error).split())) from error


def _part_of_overflow(whole: pa.RecordBatch, first: Mapping[str, int], count: Mapping[str, int]) -> pa.RecordBatch:
    """What belongs to resources, to scopes, and to some rows of the other tables, counted from the first of them."""
    if whole.num_rows == 0:
        return whole
    row = whole.column("row").to_numpy().astype(np.int64)
    wanted = of_tables(whole, SHARED)
    for table in SLICED:
        own = of_tables(whole, (table,))
        row[own] -= first[table]
        wanted |= own & (row >= 0) & (row < count[table])
    return placed(whole, np.where(wanted, row, -1))


def of_tables(overflow_table: pa.RecordBatch, tables: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Which rows of the overflow belong to certain tables."""
    column = overflow_table.column("table")
    mask: npt.NDArray[np.bool_] = pc.is_in(column.cast(pa.string()), pa.array(tables)).to_numpy(zero_copy_only=False)
    return mask.copy()


def counted_from(batch: pa.RecordBatch, name: str, base: int) -> pa.RecordBatch:
    """With a number added to references, which then count from another row."""
    place = batch.schema.get_field_index(name)
    moved = batch.column(name).to_numpy().astype(np.int64) + base
    return batch.set_column(place, batch.schema.field(place), pa.array(moved.astype(np.uint32)))


def _reduced(table: str, batch: pa.RecordBatch, kept: frozenset[str]) -> tuple[pa.RecordBatch, list[pa.RecordBatch]]:
    """A table without columns that are not kept, and their rows of the overflow."""
    outside = [one for one in attribute_columns(table, batch.schema.names) if one.name not in kept]
    if not outside:
        return batch, []
    names = {one.name for one in outside}
    left = batch.select([name for name in batch.schema.names if name not in names])
    return left, [overflow_of_columns(table, batch, outside)]
