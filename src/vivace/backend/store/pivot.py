"""Attribute lists -> one column per key and kind, and the overflow of what has no column."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vivace.backend.store.attributes import Typed, typed
from vivace.backend.store.batch import AttributeLists
from vivace.backend.store.choice import worth_a_column
from vivace.backend.store.overflow import EMPTY_OVERFLOW, joined, overflow_rows
from vivace.backend.store.tables import ATTRIBUTE_SCOPE, AttributeColumn, Kind
from vivace.backend.store.validity import Mask, with_nulls
from vivace.backend.store.values import KINDS

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
    chosen = _chosen(attributes, np.diff(entries.bounds), rows, limit)
    columns = {}
    for number, (key, kind) in compress(enumerate(attributes.keys), chosen):
        assert kind is not None  # noqa: S101 - an attribute without a value has no column
        columns[AttributeColumn(ATTRIBUTE_SCOPE[table], key, kind).name] = _column(attributes, entries, number, rows)
    return Pivoted(dict(sorted(columns.items())), _overflow(table, attributes, entries, chosen))


def _entries(lists: AttributeLists, attributes: Typed, position: Rows) -> _Entries:
    row, place = np.repeat(position, lists.counts), attributes.place[lists.codes]
    everything = len(position) == 0 or position.min() >= 0
    if not everything:
        kept = row >= 0
        row, place = row[kept], place[kept]
    column = attributes.column.astype(_smallest(len(attributes.keys)))[place]
    order = np.argsort(column, kind="stable")
    row, place = row[order], place[order]
    bounds = np.concatenate([[0], np.cumsum(np.bincount(column, minlength=len(attributes.keys)))])
    first = np.ones(len(row), np.bool_)
    first[1:] = row[1:] != row[:-1]
    first[bounds[bounds < len(row)]] = True
    return _Entries(row, place, first, bounds, everything)


def _smallest(count: int) -> type[np.unsignedinteger[Any]]:
    """The smallest type for so many numbers; up to 16 bits are sorted by radix."""
    if count <= 1 << 8:
        return np.uint8
    return np.uint16 if count <= 1 << 16 else np.uint32


def _chosen(attributes: Typed, counts: npt.NDArray[np.intp], rows: int, limit: int) -> Mask:
    with_value = np.array([kind is not None for _, kind in attributes.keys], np.bool_)
    return worth_a_column(np.where(with_value, counts, 0), rows, limit)


def _column(attributes: Typed, entries: _Entries, number: int, rows: int) -> pa.Array:
    start, stop = entries.bounds[number], entries.bounds[number + 1]
    row, place, first = entries.row[start:stop], entries.place[start:stop], entries.first[start:stop]
    repeated = not first.all()
    if repeated:
        row, place = row[first], place[first]
    numbers = _numbers(row, place - attributes.bounds[number], rows)
    values = attributes.values[number]
    assert values is not None  # noqa: S101 - an attribute without a value has no column
    if attributes.keys[number][1] is not Kind.STR:
        return pc.take(values, numbers, boundscheck=False)
    column = pa.DictionaryArray.from_arrays(numbers, values, safe=False)
    return compact(column) if repeated or not entries.all else column


def _numbers(row: Rows, numbers: Rows, rows: int) -> pa.Int32Array:
    """So many numbers, those of the given rows, null in all others."""
    scattered = np.zeros(rows, np.int32)
    scattered[row] = numbers
    if len(row) == rows:
        return pa.array(scattered)
    there = np.zeros(rows, np.bool_)
    there[row] = True
    return with_nulls(scattered, there)


def compact(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """The same column with a dictionary of no value that no row has, and of none twice."""
    return column.dictionary_decode().dictionary_encode()


def _overflow(table: str, attributes: Typed, entries: _Entries, chosen: Mask) -> pa.RecordBatch:
    if chosen.all() and entries.first.all():
        return EMPTY_OVERFLOW
    column = np.repeat(np.arange(len(chosen)), np.diff(entries.bounds))
    places = np.flatnonzero(~(chosen[column] & entries.first))
    outside = _Outside(entries.row[places], entries.place[places], column[places])
    kinds = np.array([KINDS.index(kind) for _, kind in attributes.keys])[outside.column]
    parts = [(KINDS[number], outside.where(kinds == number)) for number in np.unique(kinds).tolist()]
    return joined([_overflow_of_kind(table, attributes, kind, some) for kind, some in parts])


@dataclass(frozen=True, slots=True)
class _Outside:
    """Attributes of rows that have no column."""

    row: Rows
    place: Rows
    column: npt.NDArray[np.intp]
    """The column that each would have."""

    def where(self, mask: Mask) -> _Outside:
        return _Outside(self.row[mask], self.place[mask], self.column[mask])


def _overflow_of_kind(table: str, attributes: Typed, kind: Kind | None, outside: _Outside) -> pa.RecordBatch:
    columns, which = np.unique(outside.column, return_inverse=True)
    names = pa.array([attributes.keys[number][0] for number in columns.tolist()], pa.string())
    keys = pa.DictionaryArray.from_arrays(pa.array(which.astype(np.int32)), names)
    rows = outside.row.astype(np.uint32)
    if kind is None:
        return overflow_rows(table, rows, keys, kind, None)
    arrays = [attributes.values[number] for number in columns.tolist()]
    bases = np.cumsum([0, *map(len, arrays[:-1])])
    numbers = outside.place - attributes.bounds[outside.column] + bases[which]
    values = pa.concat_arrays(arrays).take(pa.array(numbers))
    return overflow_rows(table, rows, keys, kind, values.dictionary_encode() if kind is Kind.STR else values)
