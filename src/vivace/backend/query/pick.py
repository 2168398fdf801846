"""Some traces of a unit as tables of their own, which can be put together with those of other units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vivace.backend.query.tree_order import ranges
from vivace.backend.query.value import Rows
from vivace.backend.query.view import View
from vivace.backend.store.distinct import distinct_numbers
from vivace.backend.store.tables import Tables

_MANY: Final = 8
"""From one in so many spans on, all are read at once instead of trace by trace."""


def pick(view: View, traces: Rows) -> Tables:
    """The tables of some traces, given by their rows in `traces`, ascending."""
    first, count = (view.index("traces", name)[traces] for name in ("first", "count"))
    rows = ranges(first, count)
    spans = _batches(view, "spans", first, count)
    resource, scope = (view.index("spans", name)[rows] for name in ("resource", "scope"))
    references = {"resources": distinct_numbers(resource), "scopes": distinct_numbers(scope)}
    numbers = {
        "trace": np.repeat(np.arange(len(traces)), count),
        "resource": np.searchsorted(references["resources"], resource),
        "scope": np.searchsorted(references["scopes"], scope),
    }
    children = {table: _children(view, table, first, count) for table in ("events", "links")}
    kept = {"spans": rows, **references, **{table: ranges for table, (ranges, _) in children.items()}}
    return Tables(
        spans=_with(spans, numbers),
        traces=_traces(view, traces, count),
        resources=_taken(view, "resources", references["resources"]),
        scopes=_taken(view, "scopes", references["scopes"]),
        events=_with(children["events"][1], {"span": _position(rows, view.index("events", "span")[kept["events"]])}),
        links=_with(children["links"][1], {"span": _position(rows, view.index("links", "span")[kept["links"]])}),
        overflow=_overflow(view, kept),
    )


def _position(rows: Rows, wanted: Rows) -> Rows:
    return np.searchsorted(rows, wanted)


def _batches(view: View, table: str, first: Rows, count: Rows) -> pa.RecordBatch:
    """The rows of all ranges, which are ascending."""
    total = view.rows(table)
    if int(count.sum()) * _MANY > total or len(first) == 0:
        return view.unit.slice(table, 0, total).take(pa.array(ranges(first, count)))
    parts = [view.unit.slice(table, start, length) for start, length in _merged(first, count)]
    return _together(parts)


def _merged(first: Rows, count: Rows) -> Sequence[tuple[int, int]]:
    """Ranges that follow each other made one."""
    gap = np.append(True, first[1:] != first[:-1] + count[:-1])
    starts = np.flatnonzero(gap)
    return list(zip(first[starts].tolist(), np.add.reduceat(count, starts).tolist(), strict=True))


def _together(parts: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    if len(parts) == 1:
        return parts[0]
    table = pa.Table.from_batches(parts).unify_dictionaries().combine_chunks()
    columns = [column.chunk(0) if column.num_chunks else column.combine_chunks() for column in table.columns]
    return pa.RecordBatch.from_arrays(columns, schema=parts[0].schema)


def _with(batch: pa.RecordBatch, columns: dict[str, Rows]) -> pa.RecordBatch:
    for name, numbers in columns.items():
        batch = batch.set_column(batch.schema.get_field_index(name), name, pa.array(numbers.astype(np.uint32)))
    return batch


def _children(view: View, table: str, first: Rows, count: Rows) -> tuple[Rows, pa.RecordBatch]:
    owner = view.index(table, "span")
    start, stop = np.searchsorted(owner, first), np.searchsorted(owner, first + count)
    some = stop > start
    return ranges(start, stop - start), _batches(view, table, start[some], (stop - start)[some])


def _traces(view: View, traces: Rows, count: Rows) -> pa.RecordBatch:
    batch = _taken(view, "traces", traces)
    return _with(batch, {"first": np.cumsum(count) - count})


def _taken(view: View, table: str, rows: Rows) -> pa.RecordBatch:
    return view.unit.slice(table, 0, view.rows(table)).take(pa.array(rows))


def _overflow(view: View, kept: dict[str, Rows]) -> pa.RecordBatch:
    """The overflow's rows about rows that are kept, renumbered."""
    batch = view.unit.slice("overflow", 0, view.rows("overflow"))
    chosen, numbers = overflow_of(view, kept)
    return _with(batch.take(pa.array(chosen)), {"row": numbers}) if batch.num_rows else batch


def overflow_of(view: View, kept: Mapping[str, Rows]) -> tuple[Rows, Rows]:
    """The rows of the overflow that are about rows kept, and for each the number of that among those kept."""
    rows = view.index("overflow", "row")
    numbers = np.full(len(rows), -1, np.int64)
    tables = view.unit.column("overflow", "table") if len(rows) else None
    for table, wanted in kept.items() if tables is not None else ():
        mine = pc.equal(tables, table).to_numpy(zero_copy_only=False)
        at = np.searchsorted(wanted, rows)
        there = mine & (at < len(wanted)) & (wanted[np.minimum(at, len(wanted) - 1)] == rows if len(wanted) else mine)
        numbers[there] = at[there]
    chosen = np.flatnonzero(numbers >= 0)
    return chosen, numbers[chosen]
