"""What rows hold, as numbers: equal for rows that read back the same, in whatever form their attributes are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vivace.backend.store.assemble import CHILDREN, taken
from vivace.backend.store.numbering import Numbers, compared, numbered_lists, numbered_rows
from vivace.backend.store.overflow import joined, overflow_of, overflow_of_columns, placed
from vivace.backend.store.tables import ATTRIBUTE_SCOPE, Kind, Tables, attribute_columns
from vivace.backend.store.validity import valid_rows

Rows = npt.NDArray[np.int64]

_PLACE: Final = ("table", "row")
"""Columns of the overflow that say what an entry is about, not what it says."""
_SORTED: Final = ("key", Kind.ANY)
"""Columns of the overflow whose values make an order."""


def contents(
    table: str, rows: pa.RecordBatch, outside: pa.RecordBatch, known: Mapping[str, Numbers] | None = None
) -> Numbers:
    """Numbers of rows of a table; `outside` is what the overflow has of them.

    What stands for some columns, or is compared besides, is already known as numbers.
    """
    known = known or {}
    keys = set(outside.column("key").unique().to_pylist())
    loose = [one for one in attribute_columns(table, rows.schema.names) if one.key in keys]
    left_out = {*known, *(one.name for one in loose)}
    entries = joined([overflow_of_columns(table, rows, loose), outside])  # the first value is the one with a column
    numbers = [
        compared(column)
        for name, column in zip(rows.schema.names, rows.columns, strict=True)
        if name not in left_out and column.null_count < len(column)
    ]
    if entries.num_rows:
        numbers.append(_entries(entries, rows.num_rows))
    return numbered_rows([*known.values(), *numbers], rows.num_rows)


def _entries(entries: pa.RecordBatch, rows: int) -> Numbers:
    """Numbers of the collections of overflow entries that rows have: in whatever order, but for the values of one key
    and type, which are given as they were sent. The order of lists and maps that share a key is not looked at."""
    held = {
        name: column
        for name, column in zip(entries.schema.names, entries.columns, strict=True)
        if name not in _PLACE and column.null_count < len(column)
    }
    codes = numbered_rows([compared(column) for column in held.values()], entries.num_rows)
    alike = [compared(held[name]) for name in _SORTED if name in held]
    alike += [valid_rows(column).astype(np.int32) for name, column in held.items() if name not in _SORTED]
    row = entries.column("row").to_numpy()
    in_order = np.lexsort((numbered_rows(alike, entries.num_rows), row))  # stable
    return numbered_lists(np.bincount(row, minlength=rows), codes[in_order])


@dataclass(frozen=True, slots=True)
class _Owned:
    """Rows that belong to rows of another table, and are ordered by these."""

    batch: pa.RecordBatch
    owner: npt.NDArray[np.uint32]

    def of(self, owners: Rows) -> tuple[Rows, Rows]:
        """The rows that belong to owners, given in ascending order, and how many belong to each."""
        first = np.searchsorted(self.owner, owners)
        count = np.searchsorted(self.owner, owners, side="right") - first
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        return np.repeat(first, count) + within, count


class Contents:
    """Numbers of rows of tables."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._children = {table: _Owned(tables[table], tables[table].column("span").to_numpy()) for table in CHILDREN}
        self._outside = {table: _outside(tables, table) for table in ATTRIBUTE_SCOPE}

    def of(self, table: str, rows: Rows) -> Numbers:
        """Numbers of some rows, given in ascending order; they mean nothing beyond these rows."""
        known: dict[str, Numbers] = {}
        if table == "spans":
            known = {
                "resource": self._shared("resources", "resource", rows),
                "scope": self._shared("scopes", "scope", rows),
                **{child: self._lists(child, rows) for child in CHILDREN},
            }
        batch = _some(self._tables[table], rows)
        if table in CHILDREN:
            batch = batch.drop_columns(["span"])
        return contents(table, batch, self._beyond(table, rows), known)

    def _shared(self, table: str, reference: str, rows: Rows) -> Numbers:
        referred, which = np.unique(self._tables.spans.column(reference).to_numpy()[rows], return_inverse=True)
        return self.of(table, referred.astype(np.int64))[which]

    def _lists(self, table: str, rows: Rows) -> Numbers:
        owned, counts = self._children[table].of(rows)
        return numbered_lists(counts, self.of(table, owned))

    def _beyond(self, table: str, rows: Rows) -> pa.RecordBatch:
        outside = self._outside[table]
        owned, counts = outside.of(rows)
        return placed(outside.batch.take(pa.array(owned)), np.repeat(np.arange(len(rows)), counts))


def _some(batch: pa.RecordBatch, rows: Rows) -> pa.RecordBatch:
    """Rows in ascending order, without a copy when they follow each other."""
    if len(rows) == 0:
        return batch.slice(0, 0)
    window = batch.slice(rows[0], rows[-1] - rows[0] + 1)
    return window if len(window) == len(rows) else taken(window, rows - rows[0])


def _outside(tables: Tables, table: str) -> _Owned:
    entries = overflow_of(tables, table)
    ordered = entries.take(pa.array(np.argsort(entries.column("row").to_numpy(), kind="stable")))
    return _Owned(ordered, ordered.column("row").to_numpy())
