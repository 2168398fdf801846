"""What can still be read of a damaged block: whole traces alone, so that none is shown in part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vivace.backend.store.block import BlockSource
from vivace.backend.store.layout import ROW_GROUP
from vivace.backend.store.tables import FIXED, Tables
from vivace.backend.store.unit import READ_ERRORS, is_damage
from vivace.backend.store.window import REFERENCES, traces_of

SPANS_AT_ONCE: Final = 1 << 19
"""Tables of about so many spans are made at once."""

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def salvaged(source: BlockSource) -> Iterator[Tables]:
    """Tables of the traces of which every row can be read; READ_ERRORS when what all traces need cannot be."""
    block = _Block(source)
    for start, stop in block.runs():
        yield block.part(start, stop)


class _Block:
    """A block of which some groups of rows cannot be read."""

    def __init__(self, source: BlockSource) -> None:
        self._source = source
        self._whole = {
            table: source.slice(table, 0, source.rows(table)) for table in ("traces", "resources", "scopes", "overflow")
        }
        self._first = np.append(self._whole["traces"].column("first").to_numpy(), source.rows("spans")).astype(np.int64)
        self._good = np.ones(len(self._first) - 1, np.bool_)
        for first, span in self._groups("spans"):
            if span is None:
                self._lose(first, min(first + ROW_GROUP, source.rows("spans")) - 1)
        self._owner = {table: self._owners(table) for table in ("events", "links")}

    def runs(self) -> Iterator[tuple[int, int]]:
        """Ranges of traces that follow each other, each with no more spans than are to be taken at once."""
        edges = np.flatnonzero(np.diff(np.concatenate([[False], self._good, [False]]).astype(np.int8)))
        for begin, end in edges.reshape(-1, 2).tolist():
            start = begin
            while start < end:
                full = int(np.searchsorted(self._first, self._first[start] + SPANS_AT_ONCE, "right")) - 1
                stop = min(end, max(full, start + 1))
                yield start, stop
                start = stop

    def part(self, start: int, stop: int) -> Tables:
        """The traces of a range."""
        bounds = {"traces": (start, stop), "spans": (int(self._first[start]), int(self._first[stop]))}
        for table, owner in self._owner.items():
            low, high = np.searchsorted(owner, bounds["spans"])
            bounds[table] = int(low), int(high)
        for table in ("resources", "scopes"):
            bounds[table] = 0, self._whole[table].num_rows
        batches = {table: self._source.slice(table, low, high - low) for table, (low, high) in bounds.items()}
        for table, name, target in (*REFERENCES, ("traces", "first", "spans")):
            batches[table] = _moved(batches[table], name, -bounds[target][0])
        tables = Tables(**batches, overflow=self._overflow(bounds))
        return traces_of(tables, np.arange(stop - start))

    def _overflow(self, bounds: Mapping[str, tuple[int, int]]) -> pa.RecordBatch:
        overflow = self._whole["overflow"]
        row = overflow.column("row").to_numpy().astype(np.int64)
        moved = np.full(len(row), -1, np.int64)
        for table, (low, high) in bounds.items():
            mine = (
                pc.equal(overflow.column("table"), table).to_numpy(zero_copy_only=False) & (row >= low) & (row < high)
            )
            moved[mine] = row[mine] - low
        rows = np.flatnonzero(moved >= 0)
        kept = overflow.take(pa.array(rows))
        return kept.set_column(1, FIXED["overflow"].field("row"), pa.array(moved[rows].astype(np.uint32)))

    def _groups(self, table: str) -> Iterator[tuple[int, pa.RecordBatch | None]]:
        """The first row of each group, and the group, or None when it cannot be read."""
        for first in range(0, self._source.rows(table), ROW_GROUP):
            try:
                yield first, self._source.slice(table, first, min(ROW_GROUP, self._source.rows(table) - first))
            except READ_ERRORS as error:
                if not is_damage(error):
                    raise
                yield first, None

    def _owners(self, table: str) -> Rows:
        """The span of each event or link; where that is not known, one of a trace that is lost for it."""
        owner = np.zeros(self._source.rows(table), np.int64)
        known, unknown = 0, False
        for first, group in self._groups(table):
            rows = slice(first, first + ROW_GROUP)
            owner[rows] = known if group is None else group.column("span").to_numpy()
            if unknown and group is not None:
                self._lose(known, int(owner[first]))
            known, unknown = int(owner[rows][-1]), group is None
        if unknown:
            self._lose(known, self._source.rows("spans") - 1)
        return owner

    def _lose(self, first: int, last: int) -> None:
        """Gives up the traces that have any of the spans from one to another."""
        start, stop = np.searchsorted(self._first, [first, last], "right")
        self._good[start - 1 : stop] = False


def _moved(batch: pa.RecordBatch, name: str, by: int) -> pa.RecordBatch:
    numbers = batch.column(name).to_numpy().astype(np.int64) + by
    return batch.set_column(batch.schema.get_field_index(name), name, pa.array(numbers.astype(np.uint32)))
