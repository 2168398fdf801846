"""Tables put together, once it is known which of their rows are there in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vivace.backend.store.arrange import Distinct, Order, SpanOrder, inverse
from vivace.backend.store.choice import worth_a_column
from vivace.backend.store.overflow import joined, overflow_of, overflow_of_columns, placed
from vivace.backend.store.tables import ARROW, FIXED, AttributeColumn, Tables, attribute_columns
from vivace.backend.store.validity import valid_rows, with_nulls

SHARED: Final[Mapping[str, str]] = {"resources": "resource", "scopes": "scope"}
"""Tables that several spans refer to -> the column of spans that does."""
CHILDREN: Final = ("events", "links")

Computed = npt.NDArray[np.uint32]


def assemble(parts: Sequence[Tables], spans: SpanOrder, shared: Mapping[str, Distinct], columns: int) -> Tables:
    """Tables of the spans in this order, of all parts put together, with at most so many attribute columns.

    Spans that have no place in the order are left out with their events and links.
    """
    computed = {"trace": spans.trace}
    for table, reference in SHARED.items():
        computed[reference] = shared[table].row[shifted(parts, "spans", reference, table)[spans.order]]
    tables = {"spans": _Table(parts, "spans", spans.order, computed, columns)}
    tables |= {table: _Table(parts, table, shared[table].kept, {}, columns) for table in SHARED}
    for table in CHILDREN:
        span = tables["spans"].position[shifted(parts, table, "span", "spans")]
        order = np.argsort(span, kind="stable")[np.count_nonzero(span < 0) :]
        tables[table] = _Table(parts, table, order, {"span": span[order].astype(np.uint32)}, columns)
    batches = {name: table.batch() for name, table in tables.items()}
    outside = joined([entries for table in tables.values() for entries in table.overflow()])
    return Tables(**batches, traces=spans.traces, overflow=outside)


class _Table:
    """One table of the result: which rows of the parts, put together, in which order."""

    def __init__(
        self, parts: Sequence[Tables], table: str, order: Order, computed: Mapping[str, Computed], limit: int
    ) -> None:
        self._parts = parts
        self._table = table
        self._computed = computed
        self._batches = [part[table] for part in parts]
        self._order = order
        self._rows = pa.array(order)
        sizes = [batch.num_rows for batch in self._batches]
        self._bases = np.cumsum([0, *sizes]).tolist()
        self._kept, self._outside = self._divided(limit)
        self.position = inverse(order, sum(sizes))
        """Row in the parts put together -> row of the result, or -1."""

    def batch(self) -> pa.RecordBatch:
        """The table."""
        fixed = FIXED[self._table]
        arrays = {name: self._fixed(name, fixed.field(name).type) for name in fixed.names}
        arrays.update((one.name, self._column(one.name, ARROW[one.kind])) for one in self._kept)
        return pa.RecordBatch.from_pydict(arrays)

    def overflow(self) -> Iterator[pa.RecordBatch]:
        """What has no column, and then what had none before: of a key that repeats, the first value stays first."""
        for batch, base in zip(self._batches, self._bases, strict=False):
            there = set(batch.schema.names)
            outside = [one for one in self._outside if one.name in there]
            yield self._moved(overflow_of_columns(self._table, batch, outside), base)
        for part, base in zip(self._parts, self._bases, strict=False):
            yield self._moved(overflow_of(part, self._table), base)

    def _moved(self, entries: pa.RecordBatch, base: int) -> pa.RecordBatch:
        return placed(entries, self.position[entries.column("row").to_numpy() + np.int64(base)])

    def _fixed(self, name: str, kind: pa.DataType) -> pa.Array:
        return pa.array(self._computed[name]) if name in self._computed else self._column(name, kind)

    def _column(self, name: str, kind: pa.DataType) -> pa.Array:
        chunks = [
            batch.column(name) if name in batch.schema.names else pa.nulls(batch.num_rows, kind)
            for batch in self._batches
        ]
        column = combined(pa.chunked_array(chunks, kind))
        return _taken(column, self._order, self._rows)

    def _divided(self, limit: int) -> tuple[list[AttributeColumn], list[AttributeColumn]]:
        """Attribute columns by name: those that are kept, and those that are not."""
        values: Counter[str] = Counter()
        for batch in self._batches:
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                values[name] += len(column) - column.null_count
        columns = attribute_columns(self._table, sorted(values))
        counts = np.array([values[one.name] for one in columns], np.int64)
        worth = worth_a_column(counts, len(self._order), limit)
        return list(compress(columns, worth)), list(compress(columns, ~worth))


def taken(batch: pa.RecordBatch, order: Order) -> pa.RecordBatch:
    """Rows of a batch."""
    rows = pa.array(order)
    columns = [_taken(column, order, rows) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _taken(column: pa.Array, order: Order, rows: pa.Int64Array) -> pa.Array:
    if isinstance(column, pa.DictionaryArray):
        return _taken_text(column, order)
    return pc.take(column, rows, boundscheck=False)


def _taken_text(column: pa.DictionaryArray, order: Order) -> pa.DictionaryArray:
    """Takes the numbers with NumPy, which does not look at each whether it is null."""
    numbers = np.take(np.frombuffer(column.indices.buffers()[1], np.int32)[column.offset :], order)
    if column.null_count == 0:
        return pa.DictionaryArray.from_arrays(pa.array(numbers), column.dictionary, safe=False)
    valid = np.take(valid_rows(column), order)
    return pa.DictionaryArray.from_arrays(with_nulls(numbers, valid), column.dictionary, safe=False)


def combined(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    return column.combine_chunks()


def shifted(parts: Sequence[Tables], table: str, name: str, target: str) -> npt.NDArray[np.uint32]:
    """References of all parts' rows, to the rows of all parts' targets put together."""
    sizes = [part[target].num_rows for part in parts]
    bases = np.cumsum([0, *sizes[:-1]]).astype(np.uint32)
    columns = [part[table].column(name).to_numpy() for part in parts]
    return np.concatenate([column + base for column, base in zip(columns, bases, strict=True)])
