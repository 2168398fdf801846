"""Attributes without a column of their own: repeated keys, and keys beyond the bound on columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue

from vivace.backend.store.tables import FIXED, AttributeColumn, Kind

SCHEMA: Final = FIXED["overflow"]
EMPTY_OVERFLOW: Final = pa.RecordBatch.from_pylist([], SCHEMA)

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
    rows = np.flatnonzero(values.is_valid()).astype(np.uint32)
    key = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(rows), np.int32)), pa.array([column.key], pa.string()))
    return overflow_rows(table, rows, key, column.kind, values.take(pa.array(rows)))


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
