"""Attribute lists -> one column per key and kind, and the overflow of what has no column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vivace.backend.store.attributes import SIMPLE, Typed, typed
from vivace.backend.store.batch import AttributeLists
from vivace.backend.store.tables import ATTRIBUTE_SCOPE, FIXED, AttributeColumn, Kind

Rows = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Pivoted:
    """Attribute columns ordered by name, and rows of the overflow table."""

    columns: dict[str, pa.Array]
    overflow: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class _Entries:
    """Attributes of rows, ordered by column, within it by row as sent."""

    row: Rows
    place: Rows
    first: npt.NDArray[np.bool_]
    """False where a row repeats a key and kind that it has already."""
    bounds: npt.NDArray[np.intp]
    all: bool
    """No row was left out."""


def pivot(table: str, lists: AttributeLists, position: Rows, rows: int, limit: int) -> Pivoted:
    """Row n of the lists becomes row position[n] of a table of so many rows, or is left out when that is -1.

    At most `limit` columns are made, for the keys and kinds that most rows have. Refused when one is malformed.
    """
    attributes = typed(lists.messages)
    entries = _entries(lists, attributes, position)
    chosen = _chosen(attributes, np.diff(entries.bounds), limit)
    columns = {
        AttributeColumn(ATTRIBUTE_SCOPE[table], key, kind).name: _column(attributes, entries, number, rows)
        for number, (key, kind) in enumerate(attributes.keys)
        if kind is not None and number in chosen
    }
    return Pivoted(dict(sorted(columns.items())), _overflow(table, attributes, entries, chosen))


def _entries(lists: AttributeLists, attributes: Typed, position: Rows) -> _Entries:
    row = np.repeat(np.arange(len(position), dtype=np.int32), lists.counts)
    place = attributes.place[lists.codes]
    everything = len(position) == 0 or position.min() >= 0
    if not everything:
        kept = position[row] >= 0
        row, place = row[kept], place[kept]
    column = attributes.column[place]
    small = column.astype(np.uint16) if len(attributes.keys) < 1 << 16 else column  # 16 bits are sorted by radix
    order = np.argsort(small, kind="stable")
    row, place, column = row[order], place[order], column[order]
    first = np.ones(len(row), np.bool_)
    first[1:] = (row[1:] != row[:-1]) | (column[1:] != column[:-1])
    bounds = np.searchsorted(column, np.arange(len(attributes.keys) + 1))
    return _Entries(position[row], place, first, bounds, everything)


def _chosen(attributes: Typed, counts: npt.NDArray[np.intp], limit: int) -> set[int]:
    possible = [number for number, (_, kind) in enumerate(attributes.keys) if kind is not None and counts[number]]
    possible.sort(key=lambda number: -counts[number])
    return set(possible[:limit])


def _column(attributes: Typed, entries: _Entries, number: int, rows: int) -> pa.Array:
    start, stop = entries.bounds[number], entries.bounds[number + 1]
    row, place, first = entries.row[start:stop], entries.place[start:stop], entries.first[start:stop]
    repeated = not first.all()
    if repeated:
        row, place = row[first], place[first]
    indices = np.zeros(rows, np.int32)
    indices[row] = place - attributes.bounds[number]
    numbers = pa.array(indices, mask=_absent(row, rows))
    values = attributes.values[number]
    assert values is not None  # noqa: S101 - an attribute without a value has no column
    if attributes.keys[number][1] is not Kind.STR:
        return values.take(numbers)
    column = pa.DictionaryArray.from_arrays(numbers, values)
    return compact(column) if repeated or not entries.all else column


def _absent(row: Rows, rows: int) -> npt.NDArray[np.bool_] | None:
    if len(row) == rows:
        return None
    absent = np.ones(rows, np.bool_)
    absent[row] = False
    return absent


def compact(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """The same column with a dictionary of no value that no row has, and of none twice."""
    return column.dictionary_decode().dictionary_encode()


def _overflow(table: str, attributes: Typed, entries: _Entries, chosen: set[int]) -> pa.RecordBatch:
    has_column = np.array([number in chosen for number in range(len(attributes.keys))], np.bool_)
    column = attributes.column[entries.place]
    outside = np.flatnonzero(~(has_column[column] & entries.first))
    place = entries.place[outside].tolist()
    keys = [attributes.keys[number] for number in column[outside].tolist()]
    values = [_value(attributes, one) for one in place]
    arrays = {
        "table": pa.array([table] * len(place), pa.string()).dictionary_encode(),
        "row": pa.array(entries.row[outside].astype(np.uint32)),
        "key": pa.array([key for key, _ in keys], pa.string()).dictionary_encode(),
        "str": _only(Kind.STR, keys, values, pa.string()).dictionary_encode(),
        **{kind.value: _only(kind, keys, values, FIXED["overflow"].field(kind).type) for kind in SIMPLE[1:]},
        "any": pa.array([value if isinstance(value, bytes) else None for value in values], pa.binary()),
    }
    return pa.RecordBatch.from_pydict(arrays, FIXED["overflow"])


def _value(attributes: Typed, place: int) -> object:
    number = int(attributes.column[place])
    kind, values = attributes.keys[number][1], attributes.values[number]
    if values is None:
        return None
    if kind in SIMPLE:
        return values[place - int(attributes.bounds[number])].as_py()
    return attributes.any_value(place)


def _only(
    kind: Kind, keys: Sequence[tuple[str, Kind | None]], values: Sequence[object], arrow: pa.DataType
) -> pa.Array:
    return pa.array([value if key[1] is kind else None for key, value in zip(keys, values, strict=True)], arrow)
