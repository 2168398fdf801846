"""Flat spans as they arrived, one array per field, attributes numbered but not yet decoded.

This is what the receiver writes to its log and what the indexer turns into tables.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

TEXT: Final = pa.string()

COLUMNS: Final[Mapping[str, pa.Schema]] = {
    "resources": pa.schema(
        {"schema_url": TEXT, "dropped_attributes": pa.uint32(), "entity_refs": pa.list_(pa.binary())}
    ),
    "scopes": pa.schema({"name": TEXT, "version": TEXT, "schema_url": TEXT, "dropped_attributes": pa.uint32()}),
    "spans": pa.schema(
        {
            "resource": pa.uint32(),
            "scope": pa.uint32(),
            "trace_hi": pa.uint64(),
            "trace_lo": pa.uint64(),
            "span_id": pa.uint64(),
            "parent_id": pa.uint64(),
            "name": TEXT,
            "kind": pa.int8(),
            "status": pa.int8(),
            "status_message": TEXT,
            "trace_state": TEXT,
            "start": pa.int64(),
            "duration": pa.int64(),
            "flags": pa.uint32(),
            "dropped_attributes": pa.uint32(),
            "dropped_events": pa.uint32(),
            "dropped_links": pa.uint32(),
        }
    ),
    "events": pa.schema({"span": pa.uint32(), "time": pa.int64(), "name": TEXT, "dropped_attributes": pa.uint32()}),
    "links": pa.schema(
        {
            "span": pa.uint32(),
            "trace_hi": pa.uint64(),
            "trace_lo": pa.uint64(),
            "span_id": pa.uint64(),
            "trace_state": TEXT,
            "flags": pa.uint32(),
            "dropped_attributes": pa.uint32(),
        }
    ),
}
"""Columns mean what they mean in `tables`, but rows stand in the order of arrival and nothing is shared."""

REFERENCES: Final[Mapping[tuple[str, str], str]] = {
    ("spans", "resource"): "resources",
    ("spans", "scope"): "scopes",
    ("events", "span"): "spans",
    ("links", "span"): "spans",
}

ENCODED: Final = pa.schema(
    {
        f"{table}{part}": pa.list_(kind)
        for table, schema in COLUMNS.items()
        for part, kind in (
            ("", pa.struct(list(schema))),
            ("/offsets", pa.int32()),
            ("/codes", pa.int32()),
            ("/messages", pa.binary()),
        )
    }
)
"""The schema of `encode`; a change of it is a change of the log's format."""

_FIELDS: Final = {table: list(schema) for table, schema in COLUMNS.items()}
_BOUNDS: Final = struct.Struct("<ii")

Codes = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class AttributeLists:
    """The attributes of a table's rows: row n has codes[offsets[n]:offsets[n+1]], numbers of KeyValue messages."""

    offsets: Codes
    codes: Codes
    messages: pa.BinaryArray
    """Distinct, and all of them used."""

    @property
    def counts(self) -> Codes:
        """How many attributes each row has."""
        return np.diff(self.offsets)


@dataclass(frozen=True, slots=True)
class Batch:
    """Columns by table and name as COLUMNS has them, and attributes by table."""

    columns: Mapping[str, Mapping[str, pa.Array]]
    attributes: Mapping[str, AttributeLists]

    @property
    def spans(self) -> int:
        """The number of spans."""
        return len(self.columns["spans"]["span_id"])


def encode(batch: Batch) -> pa.RecordBatch:
    """The batch as a record batch of one row: for each table one list of its rows, and three of its attributes."""
    arrays: list[pa.Array] = []
    for table, fields in _FIELDS.items():
        columns, lists = batch.columns[table], batch.attributes[table]
        rows = pa.StructArray.from_arrays([columns[field.name] for field in fields], fields=fields)
        arrays += [rows, pa.array(lists.offsets), pa.array(lists.codes), lists.messages]
    lists_of_one = [_one_list(array, kind) for array, kind in zip(arrays, ENCODED.types, strict=True)]
    return pa.RecordBatch.from_arrays(lists_of_one, schema=ENCODED)


def decode(rows: pa.RecordBatch) -> Batch:
    """The batch that `encode` made one row of."""
    arrays = iter([column.values for column in rows.columns])
    columns, attributes = {}, {}
    for table, schema in COLUMNS.items():
        fields = next(arrays)
        columns[table] = {name: fields.field(name) for name in schema.names}
        attributes[table] = AttributeLists(next(arrays).to_numpy(), next(arrays).to_numpy(), next(arrays))
    return Batch(columns, attributes)


def _one_list(array: pa.Array, kind: pa.ListType) -> pa.ListArray:
    """Made of buffers, in a third of the time that it takes otherwise: small batches have many of them."""
    offsets = pa.py_buffer(_BOUNDS.pack(0, len(array)))
    return pa.ListArray.from_buffers(kind, 1, [None, offsets], children=[array])


def selected(batch: Batch, kept: npt.NDArray[np.bool_]) -> Batch:
    """Some of the spans, with what belongs to them; resources and scopes stay, of which nothing may be left."""
    columns, attributes = dict(batch.columns), dict(batch.attributes)
    columns["spans"], attributes["spans"] = _rows(batch, "spans", kept)
    new_row = (np.cumsum(kept) - 1).astype(np.uint32)
    for table in ("events", "links"):
        span = batch.columns[table]["span"].to_numpy()
        rows, attributes[table] = _rows(batch, table, kept[span])
        columns[table] = {**rows, "span": pa.array(new_row[rows["span"].to_numpy()])}
    return Batch(columns, attributes)


def _rows(batch: Batch, table: str, kept: npt.NDArray[np.bool_]) -> tuple[dict[str, pa.Array], AttributeLists]:
    mask = pa.array(kept)
    lists = batch.attributes[table]
    offsets = np.concatenate([[0], np.cumsum(lists.counts[kept])]).astype(np.int32)
    used, codes = np.unique(lists.codes[np.repeat(kept, lists.counts)], return_inverse=True)
    chosen = AttributeLists(offsets, codes.astype(np.int32), lists.messages.take(pa.array(used)))
    return {name: column.filter(mask) for name, column in batch.columns[table].items()}, chosen


def concatenate(batches: Sequence[Batch]) -> Batch:
    """One batch with the rows of all, references and attribute numbers adjusted."""
    if len(batches) == 1:
        return batches[0]
    columns = {
        table: {name: _concatenate_column(batches, table, name) for name in schema.names}
        for table, schema in COLUMNS.items()
    }
    attributes = {table: _concatenate_lists([batch.attributes[table] for batch in batches]) for table in COLUMNS}
    return Batch(columns, attributes)


def _concatenate_column(batches: Sequence[Batch], table: str, name: str) -> pa.Array:
    arrays = [batch.columns[table][name] for batch in batches]
    target = REFERENCES.get((table, name))
    if target is None:
        return pa.concat_arrays(arrays)
    sizes = [len(batch.attributes[target].offsets) - 1 for batch in batches]
    return pa.array(shifted([array.to_numpy() for array in arrays], sizes))


def shifted(references: Sequence[npt.NDArray[np.uint32]], sizes: Sequence[int]) -> npt.NDArray[np.uint32]:
    """References to rows of tables of the given sizes -> references to rows of those tables put together."""
    bases = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.uint32)
    return np.concatenate([array + base for array, base in zip(references, bases, strict=True)])


def _concatenate_lists(lists: Sequence[AttributeLists]) -> AttributeLists:
    lengths = np.concatenate([one.counts for one in lists])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    numbered = pa.concat_arrays([one.messages for one in lists]).dictionary_encode()
    numbers = numbered.indices.to_numpy()
    bases = np.concatenate([[0], np.cumsum([len(one.messages) for one in lists])])
    codes = [numbers[base : base + len(one.messages)][one.codes] for base, one in zip(bases, lists, strict=False)]
    return AttributeLists(offsets, np.concatenate(codes), numbered.dictionary)
