"""Traces that are spread over several units, whole: a source of columns that are put together when they are asked for.

Spans that several units hold alike, as when a request was sent again, are in it once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vivace.backend.query.memory import Memory
from vivace.backend.query.pick import overflow_of, pick
from vivace.backend.query.trace_index import Identities
from vivace.backend.query.tree_order import ranges
from vivace.backend.query.value import Array, Rows
from vivace.backend.query.view import View
from vivace.backend.store.distinct import distinct_numbers
from vivace.backend.store.merge import merge
from vivace.backend.store.tables import ARROW, ATTRIBUTE_SCOPE, FIXED, attribute_columns
from vivace.backend.store.unit import Unit, UnitInfo, UnitKind

_NUMBERED: Final = frozenset({"trace", "resource", "scope"})
_MERGED_BYTES: Final = 1 << 24
"""What is computed of merged traces is kept up to this, and goes with them."""
_CHILDREN: Final = ("events", "links")


class Share:
    """What one unit holds of the traces: their rows in its `traces`, ascending, and their numbers here."""

    def __init__(self, view: View, rows: Rows, traces: Rows) -> None:
        self.view = view
        self.rows = rows
        self.traces = traces
        self._kept: dict[str, Rows] = {}

    @cached_property
    def count(self) -> Rows:
        """How many spans it has of each trace."""
        return self.view.index("traces", "count")[self.rows]

    @cached_property
    def first(self) -> Rows:
        """Where they begin."""
        return self.view.index("traces", "first")[self.rows]

    @cached_property
    def trace(self) -> Rows:
        """The trace of each of its spans, by its number here."""
        return np.repeat(self.traces, self.count)

    def kept(self, table: str) -> Rows:
        """Which rows of a table belong to the traces."""
        if table not in self._kept:
            self._kept[table] = self._choose(table)
        return self._kept[table]

    @cached_property
    def overflow(self) -> tuple[Rows, Rows]:
        """The rows of the overflow that are about rows kept, and for each the number of that among those kept."""
        return overflow_of(self.view, {table: self.kept(table) for table in ATTRIBUTE_SCOPE})

    def without(self, traces: Rows) -> Share:
        """The same, but for some of the traces."""
        others = ~np.isin(self.traces, traces)
        return Share(self.view, self.rows[others], self.traces[others])

    def only(self, traces: Rows) -> Share:
        """The same for some of the traces alone."""
        chosen = np.isin(self.traces, traces)
        return Share(self.view, self.rows[chosen], self.traces[chosen])

    def references(self, table: str, name: str, target: str) -> Rows:
        """A column of numbers of rows of another table, as numbers among the rows kept of that."""
        return np.searchsorted(self.kept(target), self.view.index(table, name)[self.kept(table)])

    def values(self, table: str, name: str) -> pa.Array:
        """Any other column."""
        rows, kind = self.kept(table), _type(table, name)
        array = self.view.unit.column(table, name) if len(rows) else None
        if array is None:
            return pa.nulls(len(rows), kind)
        taken = array.take(pa.array(rows))
        if pa.types.is_dictionary(kind) and len(taken.dictionary) > len(taken):
            return taken.dictionary_decode().dictionary_encode()
        return taken

    def _choose(self, table: str) -> Rows:
        if table == "traces":
            return self.rows
        if table == "spans":
            return ranges(self.first, self.count)
        if table in _CHILDREN:
            owner = self.view.index(table, "span")
            start = np.searchsorted(owner, self.first)
            return ranges(start, np.searchsorted(owner, self.first + self.count) - start)
        if table == "overflow":
            return self.overflow[0]
        return distinct_numbers(self.view.index("spans", table.removesuffix("s"))[self.kept("spans")])


class GatheredSource:
    """The tables of traces, of which each share holds a part. Safe for use by several threads."""

    def __init__(self, identities: Identities, shares: Sequence[Share]) -> None:
        """`identities` are ordered."""
        self._identities = identities
        self._given = shares
        self._names: dict[str, list[str]] = {}
        self._orders: dict[str, Rows | None] = {}

    def names(self, table: str) -> list[str]:
        """See Source."""
        if table not in self._names:
            found = {one.name for share in self._given for one in share.view.unit.attribute_columns(table)}
            self._names[table] = [*FIXED[table].names, *sorted(found)]
        return self._names[table]

    def rows(self, table: str) -> int:
        """See Source."""
        if table == "traces":
            return len(self._identities)
        return sum(len(share.kept(table)) for share in self._shares)

    def column(self, table: str, name: str) -> pa.Array:
        """See Source."""
        numbers = self._numbers(table, name)
        return self._values(table, name) if numbers is None else pa.array(numbers, _type(table, name))

    def slice(self, table: str, first: int, count: int) -> pa.RecordBatch:
        """See Source."""
        names = self.names(table)
        return pa.RecordBatch.from_arrays([self.column(table, name).slice(first, count) for name in names], names=names)

    def filled(self, table: str, first: int, count: int) -> pa.RecordBatch:
        """See Source."""
        return self.slice(table, first, count)

    @cached_property
    def _shares(self) -> Sequence[Share]:
        """What was given; but of traces that have a span in several shares, what is left when these are merged."""
        again = self._repeated()
        if not len(again):
            return self._given
        parts = [part for share in self._given if len((part := share.only(again)).rows)]
        merged = Unit.in_memory(merge([pick(part.view, part.rows) for part in parts]))
        others = [part for share in self._given if len((part := share.without(again)).rows)]
        return [*others, Share(View(merged, Memory(_MERGED_BYTES)), np.arange(len(again)), again)]

    def _repeated(self) -> Rows:
        """Traces in which spans of one ID begin at one time: only these can be alike in everything."""
        trace = np.concatenate([share.trace for share in self._given])
        identity, start = (_span_numbers(self._given, name) for name in ("span_id", "start"))
        order = np.lexsort((start, identity, trace))
        trace, identity, start = trace[order], identity[order], start[order]
        same = (trace[1:] == trace[:-1]) & (identity[1:] == identity[:-1]) & (start[1:] == start[:-1])
        return distinct_numbers(trace[1:][same])

    def _order(self, table: str) -> Rows | None:
        """New row -> row of the shares one after the other; None where they stay as they are."""
        if table not in self._orders:
            self._orders[table] = self._ordered(table)
        return self._orders[table]

    def _ordered(self, table: str) -> Rows | None:
        if table == "spans":
            trace = np.concatenate([share.trace for share in self._shares])
            return np.lexsort((_span_numbers(self._shares, "start"), trace))
        return np.argsort(self._owners(table), kind="stable") if table in _CHILDREN else None

    def _owners(self, table: str) -> Rows:
        """The span of each event or link, in the order of the shares."""
        return self._position("spans", self._shifted("spans", lambda share: share.references(table, "span", "spans")))

    def _position(self, table: str, rows: Rows) -> Rows:
        """Where rows of the shares have come to lie."""
        order = self._order(table)
        if order is None:
            return rows
        position = np.empty(len(order), np.int64)
        position[order] = np.arange(len(order))
        return position[rows]

    def _shifted(self, table: str, numbers: Callable[[Share], Rows]) -> Rows:
        """Numbers of rows in each share's part of a table as numbers of rows in all parts, one after the other."""
        sizes = [len(share.kept(table)) for share in self._shares]
        starts = np.cumsum([0, *sizes])
        return np.concatenate([numbers(share) + start for share, start in zip(self._shares, starts, strict=False)])

    def _numbers(self, table: str, name: str) -> Array | None:
        """A column that is numbered anew; None for others."""
        if table == "traces":
            return self._traces()[name]
        if table in _CHILDREN and name == "span":
            return np.sort(self._owners(table))
        if table == "overflow" and name == "row":
            return self._about()
        if table != "spans" or name not in _NUMBERED:
            return None
        if name == "trace":
            rows = np.concatenate([share.trace for share in self._shares])
        else:
            rows = self._shifted(f"{name}s", lambda share: share.references("spans", name, f"{name}s"))
        return rows[self._order("spans")]

    def _traces(self) -> Mapping[str, Array]:
        count = np.zeros(len(self._identities), np.int64)
        for share in self._shares:
            count[share.traces] += share.count
        high, low = self._identities.high, self._identities.low
        return {"trace_hi": high, "trace_lo": low, "first": np.cumsum(count) - count, "count": count}

    def _about(self) -> Rows:
        """What each row of the overflow is about."""
        tables = self._values("overflow", "table").dictionary_decode()
        found = np.zeros(len(tables), np.int64)
        for table in ATTRIBUTE_SCOPE:
            mine = pc.equal(tables, table).to_numpy(zero_copy_only=False)
            if mine.any():
                found[mine] = self._position(table, self._shifted(table, partial(_about, table)))
        return found

    def _values(self, table: str, name: str) -> pa.Array:
        parts = pa.chunked_array([share.values(table, name) for share in self._shares], _type(table, name))
        if pa.types.is_dictionary(parts.type):
            parts = parts.unify_dictionaries()
        array: pa.Array = parts.combine_chunks()
        order = self._order(table)
        return array if order is None else array.take(pa.array(order))


def _about(table: str, share: Share) -> Rows:
    rows, about = share.overflow
    tables = share.values("overflow", "table").dictionary_decode()
    return about[pc.equal(tables, table).to_numpy(zero_copy_only=False)] if len(rows) else about


def _span_numbers(shares: Sequence[Share], name: str) -> Array:
    return np.concatenate([share.view.numbers("spans", name).data[share.kept("spans")] for share in shares])


def gathered(identities: Identities, shares: Sequence[Share], memory: Memory) -> View:
    """A view of traces, whole. Its times are those of the units, so they may reach further than its spans do."""
    infos = [share.view.unit.info for share in shares]
    info = UnitInfo(
        id=uuid.uuid4().hex,
        kind=UnitKind.SEGMENT,
        spans=0,
        traces=len(identities),
        start_ns=min(info.start_ns for info in infos),
        end_ns=max(info.end_ns for info in infos),
        bytes=0,
    )
    return View(Unit(info, GatheredSource(identities, shares)), memory)


def _type(table: str, name: str) -> pa.DataType:
    if name in FIXED[table].names:
        return FIXED[table].field(name).type
    (column,) = attribute_columns(table, [name])
    return ARROW[column.kind]
