"""One unit of storage as queries see it: its columns as NumPy arrays, made when asked for, kept while memory allows."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from vivace.backend.query.memory import Memory
from vivace.backend.query.value import Array, Column, Lists, Mask, Part, Rows, Type, known
from vivace.backend.store.tables import AttributeColumn, Kind
from vivace.backend.store.unit import Unit

T = TypeVar("T")

_SCALARS: Final[Mapping[Kind, Type]] = {
    Kind.STR: Type.STRING,
    Kind.INT: Type.INT,
    Kind.FLOAT: Type.FLOAT,
    Kind.BOOL: Type.BOOL,
}
_LISTS: Final[Mapping[Kind, Type]] = {
    Kind.STRS: Type.STRING,
    Kind.INTS: Type.INT,
    Kind.FLOATS: Type.FLOAT,
    Kind.BOOLS: Type.BOOL,
}
_MEMBERS: Final[Mapping[str, Type]] = {
    "string_value": Type.STRING,
    "int_value": Type.INT,
    "double_value": Type.FLOAT,
    "bool_value": Type.BOOL,
}
_NUMBER = itertools.count()
_SMALL: Final = 1 << 16
"""Rows of a table that is read whole when some of its rows are asked for."""


@dataclass(frozen=True, slots=True)
class Held:
    """An attribute of a table: its values, and the rows that have the key at all, whatever the type of its value."""

    parts: tuple[Part, ...]
    held: Mask


class View:
    """The columns of one unit. Rows are numbers of rows in the unit's tables."""

    def __init__(self, unit: Unit, memory: Memory) -> None:
        self.unit = unit
        self._memory = memory
        self._number = next(_NUMBER)

    def rows(self, table: str) -> int:
        """How many rows a table has."""
        return self.unit.rows(table)

    def remember(self, what: Hashable, make: Callable[[], T], size: Callable[[T], int], *, passing: bool = False) -> T:
        """Something computed from this unit alone, once; `passing` is what answers single queries."""
        return self._memory.get(self._number, what, make, size, passing=passing)

    def forget(self) -> None:
        """Give back the memory; for when the unit is gone."""
        self._memory.forget(self._number)

    def slice(self, table: str, first: int, count: int) -> pa.RecordBatch:
        """The rows from `first`, without columns that have no value there. A small table is read whole, and kept."""
        if not count or self.rows(table) > _SMALL:
            return self.unit.filled(table, first, count)
        whole = self.remember(
            ("table", table), lambda: self.unit.slice(table, 0, self.rows(table)), lambda batch: int(batch.nbytes)
        )
        return whole.slice(first, count)

    def numbers(self, table: str, name: str, kind: Type = Type.INT) -> Column:
        """A column of numbers or truth values; absent everywhere when the unit has no such column."""
        return self.remember(("numbers", table, name), lambda: self._numbers(table, name, kind), column_bytes)

    def text(self, table: str, name: str, default: str | None = None) -> Column:
        """A column of strings; where it is null, `default`."""
        return self.remember(("text", table, name, default), lambda: self._text(table, name, default), column_bytes)

    def index(self, table: str, name: str) -> Rows:
        """A column of row numbers."""
        return self.remember(
            ("index", table, name),
            lambda: self._numbers(table, name, Type.INT).data.astype(np.int64),
            lambda array: array.nbytes,
        )

    def words(self, table: str, name: str) -> Array:
        """A column of 64-bit words such as IDs, nulls as 0."""
        return self.numbers(table, name).data.astype(np.uint64, copy=False)

    def keys(self, table: str) -> frozenset[str]:
        """The attribute keys that occur in a table."""
        return frozenset(key for other, key in (*self._columns, *self._overflow) if other == table)

    def has(self, table: str, key: str) -> bool:
        """Whether any row of a table may have the key."""
        return (table, key) in self._columns or (table, key) in self._overflow

    def attribute(self, table: str, key: str) -> Held:
        """The values of a key in a table, by type."""
        return self.remember(("attribute", table, key), lambda: self._attribute(table, key), _held_bytes)

    @cached_property
    def _columns(self) -> Mapping[tuple[str, str], list[AttributeColumn]]:
        found: dict[tuple[str, str], list[AttributeColumn]] = defaultdict(list)
        for table in ("spans", "resources", "scopes", "events", "links"):
            for column in self.unit.attribute_columns(table):
                found[table, column.key].append(column)
        return dict(found)

    @cached_property
    def _overflow(self) -> Mapping[tuple[str, str], Rows]:
        if not self.rows("overflow"):
            return {}
        tables, keys = (self.text("overflow", name) for name in ("table", "key"))
        assert tables.words is not None  # noqa: S101 - a column of strings
        assert keys.words is not None  # noqa: S101
        number = tables.data.astype(np.int64) * len(keys.words) + keys.data
        order = np.argsort(number, kind="stable")
        distinct, first = np.unique(number[order], return_index=True)
        places = zip(*(part.tolist() for part in np.divmod(distinct, len(keys.words))), strict=True)
        names = [(tables.words[table].as_py(), keys.words[key].as_py()) for table, key in places]
        return dict(zip(names, np.split(order, first[1:]), strict=True))

    def _arrow(self, table: str, name: str) -> pa.Array | None:
        return self.unit.column(table, name)

    def _numbers(self, table: str, name: str, kind: Type) -> Column:
        array = self._arrow(table, name)
        if array is None:
            rows = self.rows(table)
            return Column(kind, np.zeros(rows, np.int64), np.zeros(rows, np.bool_))
        present = _present(array)
        return Column(kind, _plain(array), present)

    def _text(self, table: str, name: str, default: str | None) -> Column:
        array = self._arrow(table, name)
        if array is None:
            array = pa.nulls(self.rows(table), pa.dictionary(pa.int32(), pa.string()))
        codes, words = _codes(array)
        column = Column(Type.STRING, codes, None, words)
        return column if default is None else column.default(default)

    def _attribute(self, table: str, key: str) -> Held:
        parts: list[Part] = []
        held = np.zeros(self.rows(table), np.bool_)
        for column in self._columns.get((table, key), ()):
            if column.kind is Kind.ANY:
                array = self._arrow(table, column.name)
                held |= pc.is_valid(array).to_numpy(zero_copy_only=False)
            else:
                parts.append(self._part(table, column))
        held |= known(parts, len(held))
        if (table, key) in self._overflow:
            rest, more = self._spilled(table, key, ~held)
            return Held((*parts, *rest), held | more)
        return Held(tuple(parts), held)

    def _part(self, table: str, column: AttributeColumn) -> Part:
        if column.kind is Kind.STR:
            return self.text(table, column.name)
        if column.kind in _SCALARS:
            return self.numbers(table, column.name, _SCALARS[column.kind])
        array = self._arrow(table, column.name)
        assert array is not None  # noqa: S101 - the unit listed this column
        return lists(array, _LISTS[column.kind])

    def _spilled(self, table: str, key: str, free: Mask) -> tuple[list[Part], Mask]:
        """Values of the overflow table, for rows that have the key nowhere else; of a repeated key the first."""
        entries = self._overflow[table, key]
        rows, first = np.unique(self.index("overflow", "row")[entries], return_index=True)
        wanted = free[rows]
        entries, rows = entries[first][wanted], rows[wanted]
        held = np.zeros(len(free), np.bool_)
        held[rows] = True
        parts: list[Part] = []
        for kind, data_type in _SCALARS.items():
            source = self.text("overflow", kind) if kind is Kind.STR else self.numbers("overflow", kind, data_type)
            parts.append(_scatter(source.take(entries), rows, len(free)))
        arrays = self._arrow("overflow", "any")
        if arrays is not None:
            parts.extend(_decoded_lists(arrays.take(pa.array(entries)).to_pylist(), rows, len(free)))
        return [part for part in parts if part.known.any()], held


def lists(array: pa.ListArray, kind: Type) -> Lists:
    """A list column as elements with their rows."""
    lengths = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False)
    elements = array.flatten()
    if kind is Type.STRING:
        codes, words = _codes(elements.dictionary_encode())
        column = Column(kind, codes, None, words)
    else:
        column = Column(kind, _plain(elements), _present(elements))
    return Lists(column, np.repeat(np.arange(len(array)), lengths), pc.is_valid(array).to_numpy(zero_copy_only=False))


def column_bytes(column: Column) -> int:
    """Size in memory."""
    present = 0 if column.present is None else column.present.nbytes
    return column.data.nbytes + present + (0 if column.words is None else column.words.nbytes)


def _held_bytes(held: Held) -> int:
    total = held.held.nbytes
    for part in held.parts:
        if isinstance(part, Lists):
            total += column_bytes(part.elements) + part.row.nbytes + part.known.nbytes
    return total


def _present(array: pa.Array) -> Mask | None:
    if not array.null_count:
        return None
    present: Mask = pc.is_valid(array).to_numpy(zero_copy_only=False)
    return present


def _plain(array: pa.Array) -> Array:
    """The values of a primitive array without a copy; whatever lies under a null."""
    if pa.types.is_boolean(array.type):
        truth: Array = array.fill_null(False).to_numpy(zero_copy_only=False)
        return truth
    bare = pa.Array.from_buffers(array.type, len(array), [None, array.buffers()[1]], 0, array.offset)
    plain: Array = bare.to_numpy()
    return plain


def _codes(array: pa.DictionaryArray) -> tuple[Array, pa.StringArray]:
    codes = _plain(array.indices)
    if array.null_count:
        codes = np.where(pc.is_valid(array).to_numpy(zero_copy_only=False), codes, codes.dtype.type(-1))
    return codes, array.dictionary.cast(pa.string())


def _scatter(source: Column, rows: Rows, length: int) -> Column:
    if source.type is Type.STRING:
        codes = np.full(length, -1, np.int32)
        codes[rows] = source.data
        return Column(Type.STRING, codes, None, source.words)
    data = np.zeros(length, source.data.dtype)
    data[rows] = source.data
    present = np.zeros(length, np.bool_)
    present[rows] = source.known
    return Column(source.type, data, present)


def _decoded_lists(messages: list[bytes | None], rows: Rows, length: int) -> list[Lists]:
    """Arrays of one scalar type among AnyValue messages."""
    found: dict[str, list[tuple[int, list[str | int | float | bool]]]] = defaultdict(list)
    for message, row in zip(messages, rows.tolist(), strict=True):
        values = AnyValue.FromString(message).array_value.values if message else []
        members = {str(value.WhichOneof("value")) for value in values}
        if len(members) == 1 and (member := members.pop()) in _MEMBERS:
            found[member].append((row, [getattr(value, member) for value in values]))
    return [_gathered(_MEMBERS[member], arrays, length) for member, arrays in found.items()]


def _gathered(kind: Type, arrays: list[tuple[int, list[str | int | float | bool]]], length: int) -> Lists:
    by_row: list[list[str | int | float | bool] | None] = [None] * length
    for row, values in arrays:
        by_row[row] = values
    return lists(pa.array(by_row), kind)
