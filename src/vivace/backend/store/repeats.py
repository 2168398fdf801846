"""Spans that were sent again, the same in everything, are left out: what a sender repeats is counted once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vivace.backend.store.arrange import Distinct, Order, SpanOrder
from vivace.backend.store.assemble import SHARED, assemble
from vivace.backend.store.contents import Contents, Rows
from vivace.backend.store.tables import Tables

CELLS: Final = 1 << 22
"""So many values are compared at a time, which bounds the memory that it takes."""
_ODD: Final = np.uint64(0x9E37_79B9_7F4A_7C15)

Runs = npt.NDArray[np.int64]


def without_repeats(tables: Tables) -> Tables:
    """The same tables with each span once."""
    rows, run = _candidates(tables.spans)
    if len(rows) == 0:
        return tables
    compared = Contents(tables)
    size = max(1, CELLS // tables.spans.num_columns)
    repeated = [_later_equals(compared, part) for part in _cut(rows, run, size)]
    kept = np.ones(tables.spans.num_rows, np.bool_)
    kept[np.concatenate(repeated)] = False
    return tables if kept.all() else _only(tables, np.flatnonzero(kept))


def _candidates(spans: pa.RecordBatch) -> tuple[Rows, Runs]:
    """Rows that share trace, start and, but for chance, ID with another, and the number of their run of equal starts.

    Rows are ordered by trace and start, so hardly any need a look at their ID.
    """
    trace, start, identity = (spans.column(name).to_numpy() for name in ("trace", "start", "span_id"))
    tied = (trace[1:] == trace[:-1]) & (start[1:] == start[:-1])
    rows = np.flatnonzero(np.append(tied, False) | np.append(False, tied))
    run = np.cumsum(~np.append(False, tied)[rows])
    mixed = identity[rows] ^ (run.astype(np.uint64) * _ODD)
    ordered = np.sort(mixed)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    again = np.isin(mixed, twice) if len(twice) else np.zeros(len(rows), np.bool_)
    return rows[again], run[again]


def _cut(rows: Rows, run: Runs, size: int) -> Iterator[Rows]:
    """Parts of about so many rows; no run is cut."""
    first = 0
    while first < len(rows):
        stop = int(np.searchsorted(run, run[min(first + size, len(rows)) - 1], side="right"))
        yield rows[first:stop]
        first = stop


def _later_equals(compared: Contents, rows: Rows) -> Rows:
    """The rows that equal an earlier one."""
    numbers = compared.of("spans", rows)
    return np.delete(rows, np.unique(numbers, return_index=True)[1])


def _only(tables: Tables, kept: Order) -> Tables:
    """Tables of some of the spans, among which are spans of every trace."""
    high, low = (tables.traces.column(name).to_numpy() for name in ("trace_hi", "trace_lo"))
    spans = SpanOrder(high, low, tables.spans.column("trace").to_numpy()[kept], kept)
    shared = {table: _all(tables[table].num_rows) for table in SHARED}
    return assemble([tables], spans, shared, columns=max(batch.num_columns for batch in tables.values()))


def _all(rows: int) -> Distinct:
    return Distinct(np.arange(rows), np.arange(rows, dtype=np.uint32))
