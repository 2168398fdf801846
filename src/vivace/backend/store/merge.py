"""Tables of several units -> tables of one, in the same order and with the same sharing as if decoded together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vivace.backend.store.arrange import distinct_rows, hashable, inverse, numbers_of, order_spans
from vivace.backend.store.decode import ATTRIBUTE_COLUMNS
from vivace.backend.store.overflow import EMPTY_OVERFLOW, joined, overflow
from vivace.backend.store.tables import ARROW, FIXED, Tables, attribute_columns
from vivace.backend.store.validity import valid_rows, with_nulls

CELLS: Final = 1 << 27
"""The bound on rows times attribute columns of a merged table, which bounds the memory of a merge."""
LEAST_COLUMNS: Final = 64

Rows = npt.NDArray[np.int32]
Order = npt.NDArray[np.intp]


def merge(parts: Sequence[Tables], columns: int = ATTRIBUTE_COLUMNS) -> Tables:
    """Puts tables together; keys that have no place among so many attribute columns go to the overflow."""
    if len(parts) == 1:
        return parts[0]
    trace = _shifted(parts, "spans", "trace", "traces")
    ids = [np.concatenate([part.traces.column(name).to_numpy() for part in parts]) for name in ("trace_hi", "trace_lo")]
    start = np.concatenate([part.spans.column("start").to_numpy() for part in parts])
    spans = order_spans(ids[0][trace], ids[1][trace], start)
    position = inverse(spans.order, len(spans.order))
    merged = {"spans": _Table(parts, "spans", spans.order, {"trace": spans.trace})}
    for table, reference in (("resources", "resource"), ("scopes", "scope")):
        kept, row = _shared(parts, table)
        merged[table] = _Table(parts, table, kept, {})
        merged["spans"].computed[reference] = row[_shifted(parts, "spans", reference, table)][spans.order]
    for table in ("events", "links"):
        span = position[_shifted(parts, table, "span", "spans")]
        order = np.argsort(span, kind="stable")
        merged[table] = _Table(parts, table, order, {"span": span[order].astype(np.uint32)})
    tables = {table: one.batch(columns) for table, one in merged.items()}
    overflow = joined([*_overflow(parts, merged), *(one.outside for one in merged.values())])
    return Tables(**tables, traces=spans.traces, overflow=overflow)


class _Table:
    """One table of the result: which rows of the parts, put together, in which order."""

    def __init__(
        self, parts: Sequence[Tables], table: str, order: Order, computed: dict[str, npt.NDArray[np.uint32]]
    ) -> None:
        self.computed = computed
        self.outside = EMPTY_OVERFLOW
        self._table = table
        self._batches = [part[table] for part in parts]
        self._order = order
        self._rows = pa.array(order)

    def position(self) -> Rows:
        """Row in the parts put together -> row of the result, or -1."""
        return inverse(self._order, sum(batch.num_rows for batch in self._batches))

    def batch(self, limit: int) -> pa.RecordBatch:
        """The table; what has no column is then in `outside`."""
        fixed = FIXED[self._table]
        arrays = {name: self._fixed(name, fixed.field(name).type) for name in fixed.names}
        names = {name for batch in self._batches for name in batch.schema.names[len(fixed) :]}
        attributes = attribute_columns(self._table, sorted(names))
        chosen = self._chosen(names, limit)
        arrays.update((one.name, self._column(one.name, ARROW[one.kind])) for one in attributes if one.name in chosen)
        outside = [one for one in attributes if one.name not in chosen]
        self.outside = joined([overflow(self._table, one, self._column(one.name, ARROW[one.kind])) for one in outside])
        return pa.RecordBatch.from_pydict(arrays)

    def _fixed(self, name: str, kind: pa.DataType) -> pa.Array:
        return pa.array(self.computed[name]) if name in self.computed else self._column(name, kind)

    def _column(self, name: str, kind: pa.DataType) -> pa.Array:
        chunks = [
            batch.column(name) if name in batch.schema.names else pa.nulls(batch.num_rows, kind)
            for batch in self._batches
        ]
        column = _combined(pa.chunked_array(chunks, kind))
        if pa.types.is_dictionary(kind):
            return _taken_text(column, self._order)
        return pc.take(column, self._rows, boundscheck=False)

    def _chosen(self, names: set[str], limit: int) -> set[str]:
        limit = min(limit, max(LEAST_COLUMNS, CELLS // max(1, len(self._order))))
        if len(names) <= limit:
            return names
        filled = {
            name: sum(
                batch.num_rows - batch.column(name).null_count for batch in self._batches if name in batch.schema.names
            )
            for name in names
        }
        return set(sorted(names, key=lambda name: (-filled[name], name))[:limit])


def _taken_text(column: pa.DictionaryArray, order: Order) -> pa.DictionaryArray:
    """Takes the numbers with NumPy, which does not look at each whether it is null."""
    numbers = np.take(np.frombuffer(column.indices.buffers()[1], np.int32)[column.offset :], order)
    if column.null_count == 0:
        return pa.DictionaryArray.from_arrays(pa.array(numbers), column.dictionary, safe=False)
    valid = np.take(valid_rows(column), order)
    return pa.DictionaryArray.from_arrays(with_nulls(numbers, valid), column.dictionary, safe=False)


def _combined(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    return column.combine_chunks()


def _shifted(parts: Sequence[Tables], table: str, name: str, target: str) -> npt.NDArray[np.uint32]:
    """References of all parts' rows, to the rows of all parts' targets put together."""
    sizes = [part[target].num_rows for part in parts]
    bases = np.cumsum([0, *sizes[:-1]]).astype(np.uint32)
    columns = [part[table].column(name).to_numpy() for part in parts]
    return np.concatenate([column + base for column, base in zip(columns, bases, strict=True)])


def _shared(parts: Sequence[Tables], table: str) -> tuple[Order, npt.NDArray[np.uint32]]:
    """Rows to keep, and for each row its equal among them; a row with attributes in the overflow equals no other."""
    rows = pa.concat_tables([pa.Table.from_batches([part[table]]) for part in parts], promote_options="default")
    alone = np.zeros(rows.num_rows, np.int32)
    outside = _overflow_rows(parts, table)
    alone[outside] = outside + 1
    numbers = [alone, *(numbers_of(hashable(_combined(column))) for column in rows.columns)]
    no_codes = np.zeros(rows.num_rows + 1, np.int32), np.zeros(0, np.int32)
    distinct = distinct_rows(numbers, *no_codes, np.ones(rows.num_rows, np.bool_))
    return distinct.kept, distinct.row


def _overflow_rows(parts: Sequence[Tables], table: str) -> Rows:
    """The rows of a table, all parts' put together, that the overflow has attributes of."""
    bases = np.cumsum([0, *(part[table].num_rows for part in parts)])
    found = [
        _overflow_of(part, table).column("row").to_numpy() + base for part, base in zip(parts, bases, strict=False)
    ]
    return np.concatenate(found).astype(np.int32)


def _overflow(parts: Sequence[Tables], merged: Mapping[str, _Table]) -> list[pa.RecordBatch]:
    """The parts' overflow, its rows renumbered."""
    positions = {table: one.position() for table, one in merged.items()}
    bases = dict.fromkeys(merged, 0)
    found = []
    for part in parts:
        for table, position in positions.items():
            rows = _overflow_of(part, table)
            row = position[rows.column("row").to_numpy() + bases[table]]
            found.append(rows.set_column(1, "row", pa.array(row.astype(np.uint32))))
            bases[table] += part[table].num_rows
    return found


def _overflow_of(part: Tables, table: str) -> pa.RecordBatch:
    if part.overflow.num_rows == 0:
        return part.overflow
    return part.overflow.filter(pc.equal(part.overflow.column("table"), table))
