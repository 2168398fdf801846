"""The tables that a unit of storage consists of: their names, fixed columns, and the naming of attribute columns.

Rows refer to rows of other tables by number: a span to its trace, resource and scope, an event or link to its span.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

import pyarrow as pa

TEXT: Final = pa.dictionary(pa.int32(), pa.string())


class Kind(StrEnum):
    """The type of an attribute column; ANY holds AnyValue messages: bytes, maps, mixed and nested arrays, empty."""

    STR = "str"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    STRS = "str[]"
    INTS = "int[]"
    FLOATS = "float[]"
    BOOLS = "bool[]"
    ANY = "any"


ARROW: Final[Mapping[Kind, pa.DataType]] = {
    Kind.STR: TEXT,
    Kind.INT: pa.int64(),
    Kind.FLOAT: pa.float64(),
    Kind.BOOL: pa.bool_(),
    Kind.STRS: pa.list_(pa.string()),
    Kind.INTS: pa.list_(pa.int64()),
    Kind.FLOATS: pa.list_(pa.float64()),
    Kind.BOOLS: pa.list_(pa.bool_()),
    Kind.ANY: pa.binary(),
}

ATTRIBUTE_SCOPE: Final[Mapping[str, str]] = {
    "spans": "span",
    "resources": "resource",
    "scopes": "instrumentation",
    "events": "event",
    "links": "link",
}
"""Tables with attributes -> what their attribute columns' names begin with."""

FIXED: Final[Mapping[str, pa.Schema]] = {
    "traces": pa.schema(
        {
            "trace_hi": pa.uint64(),  # first 8 bytes of the ID, big-endian; rows are ordered by ID
            "trace_lo": pa.uint64(),
            "first": pa.uint32(),  # row in spans
            "count": pa.uint32(),
        }
    ),
    "spans": pa.schema(
        {
            "trace": pa.uint32(),  # rows are ordered by trace, then start
            "span_id": pa.uint64(),  # big-endian
            "parent_id": pa.uint64(),  # 0 = none
            "name": TEXT,
            "kind": pa.int8(),
            "status": pa.int8(),  # 0 unset, 1 ok, 2 error
            "status_message": TEXT,  # null when the span was sent without a status
            "trace_state": TEXT,
            "start": pa.int64(),  # Unix ns
            "duration": pa.int64(),  # ns; end - start, modulo 2**64, so negative when the data say so
            "flags": pa.uint32(),
            "dropped_attributes": pa.uint32(),
            "dropped_events": pa.uint32(),
            "dropped_links": pa.uint32(),
            "resource": pa.uint32(),
            "scope": pa.uint32(),
        }
    ),
    "resources": pa.schema(
        {
            "schema_url": TEXT,
            "dropped_attributes": pa.uint32(),  # null when the resource was left out
            "entity_refs": pa.list_(pa.binary()),  # EntityRef messages
        }
    ),
    "scopes": pa.schema(
        {
            "name": TEXT,
            "version": TEXT,
            "schema_url": TEXT,
            "dropped_attributes": pa.uint32(),  # null when the scope was left out
        }
    ),
    "events": pa.schema(
        {
            "span": pa.uint32(),  # rows are ordered by span, then as sent
            "time": pa.int64(),  # Unix ns
            "name": TEXT,
            "dropped_attributes": pa.uint32(),
        }
    ),
    "links": pa.schema(
        {
            "span": pa.uint32(),  # rows are ordered by span, then as sent
            "trace_hi": pa.uint64(),  # null when empty, like the two below
            "trace_lo": pa.uint64(),
            "span_id": pa.uint64(),
            "trace_state": TEXT,
            "flags": pa.uint32(),
            "dropped_attributes": pa.uint32(),
        }
    ),
    "overflow": pa.schema(
        {
            "table": TEXT,  # spans, resources, scopes, events or links
            "row": pa.uint32(),
            "key": TEXT,
            "str": TEXT,  # at most one of these five is set; none when a key was sent without a value
            "int": pa.int64(),
            "float": pa.float64(),
            "bool": pa.bool_(),
            "any": pa.binary(),  # as Kind.ANY, and arrays of any type
        }
    ),
}
"""The columns that every unit has. Overflow holds repeated keys and keys beyond the bound on columns."""


@dataclass(frozen=True, slots=True)
class AttributeColumn:
    """An attribute column, named `<scope>.<key>:<kind>`; a key may hold dots and colons."""

    scope: str
    key: str
    kind: Kind

    @property
    def name(self) -> str:
        """The column's name in its table."""
        return f"{self.scope}.{self.key}:{self.kind}"


def attribute_columns(table: str, names: list[str]) -> tuple[AttributeColumn, ...]:
    """The attribute columns among the names of a table's columns."""
    scope = ATTRIBUTE_SCOPE.get(table)
    if scope is None:
        return ()
    fixed = FIXED[table].names
    return tuple(_attribute_column(scope, name) for name in names if name not in fixed)


@lru_cache(maxsize=1 << 14)
def _attribute_column(scope: str, name: str) -> AttributeColumn:
    key, _, kind = name[len(scope) + 1 :].rpartition(":")
    return AttributeColumn(scope, key, Kind(kind))


@dataclass(frozen=True, slots=True)
class Tables:
    """One record batch per table of FIXED: its fixed columns, then attribute columns ordered by name."""

    spans: pa.RecordBatch
    traces: pa.RecordBatch
    resources: pa.RecordBatch
    scopes: pa.RecordBatch
    events: pa.RecordBatch
    links: pa.RecordBatch
    overflow: pa.RecordBatch

    def __getitem__(self, table: str) -> pa.RecordBatch:
        if table not in FIXED:
            raise KeyError(table)
        return getattr(self, table)

    def items(self) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Every table with its name."""
        return ((name, self[name]) for name in FIXED)

    def values(self) -> Iterator[pa.RecordBatch]:
        """Every table, in the order of FIXED."""
        return (self[name] for name in FIXED)

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return sum(batch.nbytes for batch in self.values())
