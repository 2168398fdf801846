"""Attributes without a column of their own: repeated keys, and keys beyond the bound on columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue

from vivace.backend.store.tables import ATTRIBUTE_SCOPE, FIXED, AttributeColumn, Kind, Tables
from vivace.backend.store.validity import valid_rows

SCHEMA: Final = FIXED["overflow"]
EMPTY_OVERFLOW: Final = pa.RecordBatch.from_pylist([], SCHEMA)

_NAMED: Final = {table: pa.scalar(table) for table in ATTRIBUTE_SCOPE}
"""To make one takes as long as to look through a small table."""
_ROW: Final = SCHEMA.get_field_index("row")
_ELEMENT: Final = {
    Kind.STRS: "string_value",
    Kind.INTS: "int_value",
    Kind.FLOATS: "double_value",
    Kind.BOOLS: "bool_value",
}


def overflow_rows(
    table: str, rows: npt.NDArray[np.uint32], keys: pa.Array, kind: Kind | None, values: pa.Array | None
) -> pa.RecordBatch:
    """Rows of the overflow table for attributes of one kind; None stands for attributes without a value."""
    member = _any_values(kind, values) if kind in _ELEMENT else values
    name = "any" if kind in _ELEMENT else kind
    count = len(rows)
    arrays = {
        "table": pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([table], pa.string())),
        "row": pa.array(rows),
        "key": keys,
    }
    columns = [
        arrays[field.name] if field.name in arrays else member if field.name == name else pa.nulls(count, field.type)
        for field in SCHEMA
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def overflow(table: str, column: AttributeColumn, values: pa.Array) -> pa.RecordBatch:
    """Rows of the overflow table in place of a column."""
    return overflow_of_columns(table, pa.RecordBatch.from_arrays([values], names=[column.name]), [column])


def overflow_of_columns(table: str, batch: pa.RecordBatch, columns: Sequence[AttributeColumn]) -> pa.RecordBatch:
    """Rows of the overflow table in place of columns of a table."""
    kinds = {kind: [one for one in columns if one.kind is kind] for kind in Kind}
    return joined([_instead(table, batch, some, kind) for kind, some in kinds.items() if some])


def _instead(table: str, batch: pa.RecordBatch, columns: Sequence[AttributeColumn], kind: Kind) -> pa.RecordBatch:
    arrays = [batch.column(one.name) for one in columns]
    rows = [np.flatnonzero(valid_rows(array)) for array in arrays]
    values = [array.take(pa.array(some)) for array, some in zip(arrays, rows, strict=True)]
    if kind is Kind.STR:
        values = [pa.concat_arrays([value.dictionary_decode() for value in values]).dictionary_encode()]
    numbers = np.repeat(np.arange(len(columns), dtype=np.int32), [len(some) for some in rows])
    keys = pa.DictionaryArray.from_arrays(pa.array(numbers), pa.array([one.key for one in columns], pa.string()))
    return overflow_rows(table, np.concatenate(rows).astype(np.uint32), keys, kind, pa.concat_arrays(values))


def overflow_of(tables: Tables, table: str) -> pa.RecordBatch:
    """What the overflow has of one table."""
    column = tables.overflow.column("table")
    mine = pc.equal(column.dictionary, _NAMED[table]).to_numpy(zero_copy_only=False)[column.indices.to_numpy()]
    return tables.overflow if mine.all() else tables.overflow.filter(pa.array(mine))


def placed(entries: pa.RecordBatch, row: npt.NDArray[np.integer]) -> pa.RecordBatch:
    """The same entries for other rows; those are left out whose row is now negative."""
    there = row >= 0
    if not there.all():
        entries, row = entries.filter(pa.array(there)), row[there]
    return entries.set_column(_ROW, "row", pa.array(row.astype(np.uint32)))


def joined(parts: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """One overflow table of several."""
    filled = [part for part in parts if part.num_rows]
    if len(filled) <= 1:
        return filled[0] if filled else EMPTY_OVERFLOW
    together: pa.RecordBatch = pa.Table.from_batches(filled).unify_dictionaries().combine_chunks().to_batches()[0]
    return together


def _any_values(kind: Kind | None, values: pa.Array | None) -> pa.Array:
    assert kind is not None  # noqa: S101 - a list has a kind, and values
    assert values is not None  # noqa: S101
    member = _ELEMENT[kind]
    arrays = [
        AnyValue(array_value=ArrayValue(values=[AnyValue(**{member: one}) for one in value]))
        for value in values.to_pylist()
    ]
    return pa.array([array.SerializeToString() for array in arrays], pa.binary())
