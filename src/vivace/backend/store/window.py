"""Tables cut by time, so that what came late makes blocks of its own and each block's range of time is narrow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vivace.backend.store.arrange import inverse
from vivace.backend.store.distinct import distinct_numbers
from vivace.backend.store.row_groups import with_needed_values
from vivace.backend.store.tables import FIXED, Tables

WINDOW_NS: Final = 3600 * 10**9
"""Traces whose ends are all within so long stay together."""
MOST: Final = 8
"""So many tables are made at most."""

REFERENCES: Final = (
    ("spans", "trace", "traces"),
    ("spans", "resource", "resources"),
    ("spans", "scope", "scopes"),
    ("events", "span", "spans"),
    ("links", "span", "spans"),
)
"""Columns that hold rows of another table."""

Rows = npt.NDArray[np.intp]


def by_window(tables: Tables, window_ns: int = WINDOW_NS, most: int = MOST) -> list[Tables]:
    """The tables in parts, by the window in which a trace's last span ends; where that are too many, neighbours stay
    together, most of all those that lie next to each other."""
    if tables.traces.num_rows == 0:
        return [tables]
    end = trace_ends(tables)
    if int(end.max()) - int(end.min()) <= window_ns:
        return [tables]
    windows, window = np.unique(end // window_ns, return_inverse=True)
    gaps = np.diff(windows)
    newest_first = np.arange(len(gaps))[::-1]
    cuts = newest_first[np.argsort(-gaps[::-1], kind="stable")][: most - 1]
    part = np.searchsorted(np.sort(cuts), window)  # a cut lies after the window of its number
    return [traces_of(tables, np.flatnonzero(part == number)) for number in range(len(cuts) + 1)]


def trace_ends(tables: Tables) -> npt.NDArray[np.int64]:
    """When the last span of each trace ends, in Unix ns."""
    start = tables.spans.column("start").to_numpy()
    end = np.maximum(start, start + tables.spans.column("duration").to_numpy())
    ends: npt.NDArray[np.int64] = np.maximum.reduceat(end, tables.traces.column("first").to_numpy())
    return ends


def traces_of(tables: Tables, traces: Rows) -> Tables:
    """The tables of some traces, given by their rows in `traces`, ascending."""
    spans = np.flatnonzero(np.isin(tables.spans.column("trace").to_numpy(), traces))
    kept = {"traces": traces, "spans": spans}
    kept |= {
        f"{name}s": distinct_numbers(tables.spans.column(name).to_numpy()[spans]) for name in ("resource", "scope")
    }
    for table in ("events", "links"):
        kept[table] = np.flatnonzero(np.isin(tables[table].column("span").to_numpy(), spans))
    position = {table: inverse(rows, tables[table].num_rows) for table, rows in kept.items()}
    batches = {table: _taken(tables[table], rows) for table, rows in kept.items()}
    for table, name, target in REFERENCES:
        batches[table] = _renumbered(batches[table], name, position[target])
    count = batches["traces"].column("count").to_numpy()
    batches["traces"] = _with(batches["traces"], "first", np.cumsum(count) - count)
    return Tables(
        **{table: _without_empty(table, batch) for table, batch in batches.items()},
        overflow=_overflow(tables.overflow, position),
    )


def _overflow(overflow: pa.RecordBatch, position: Mapping[str, npt.NDArray[np.int32]]) -> pa.RecordBatch:
    """The rows about rows that are kept."""
    row = np.full(overflow.num_rows, -1, np.int64)
    for table, positions in position.items():
        mine = pc.equal(overflow.column("table"), table).to_numpy(zero_copy_only=False)
        row[mine] = positions[overflow.column("row").to_numpy()[mine]]
    rows = np.flatnonzero(row >= 0)
    return _with(_taken(overflow, rows), "row", row[rows])


def _taken(batch: pa.RecordBatch, rows: Rows) -> pa.RecordBatch:
    columns = [_compact(column) for column in batch.take(pa.array(rows)).columns]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _compact(column: pa.Array) -> pa.Array:
    """A column whose dictionary holds nothing that has gone."""
    if not isinstance(column, pa.DictionaryArray):
        return column
    if column.null_count == len(column):
        return pa.nulls(len(column), column.type)
    return with_needed_values(column)


def _renumbered(batch: pa.RecordBatch, name: str, position: npt.NDArray[np.int32]) -> pa.RecordBatch:
    return _with(batch, name, position[batch.column(name).to_numpy()])


def _with(batch: pa.RecordBatch, name: str, numbers: npt.NDArray[np.integer]) -> pa.RecordBatch:
    return batch.set_column(batch.schema.get_field_index(name), name, pa.array(numbers.astype(np.uint32)))


def _without_empty(table: str, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Without attribute columns that have no value left."""
    fixed = FIXED[table].names
    return batch.select(
        [
            field.name
            for field, column in zip(batch.schema, batch.columns, strict=True)
            if field.name in fixed or column.null_count < batch.num_rows
        ]
    )
