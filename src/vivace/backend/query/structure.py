"""Operators between spansets: both, either, and the structural ones, which relate spans to spans of the same trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from vivace.backend.query.compare import Check
from vivace.backend.query.spansets import Spansets
from vivace.backend.query.tree_order import ROOT, UNCONNECTED, ancestors, descendants, parents_in
from vivace.backend.query.value import Mask, Rows
from vivace.backend.query.view import View
from vivace.backend.store.distinct import distinct_numbers
from vivace.errors import QueryError
from vivace.traceql.tree import SpansetOperator

_Operator = SpansetOperator
_NEGATED: Final[Mapping[_Operator, _Operator]] = {
    _Operator.NOT_CHILD: _Operator.CHILD,
    _Operator.NOT_PARENT: _Operator.PARENT,
    _Operator.NOT_DESCENDANT: _Operator.DESCENDANT,
    _Operator.NOT_ANCESTOR: _Operator.ANCESTOR,
    _Operator.NOT_SIBLING: _Operator.SIBLING,
}
_UNIONS: Final[Mapping[_Operator, _Operator]] = {
    _Operator.UNION_CHILD: _Operator.CHILD,
    _Operator.UNION_PARENT: _Operator.PARENT,
    _Operator.UNION_DESCENDANT: _Operator.DESCENDANT,
    _Operator.UNION_ANCESTOR: _Operator.ANCESTOR,
    _Operator.UNION_SIBLING: _Operator.SIBLING,
}
_INVERSE: Final[Mapping[_Operator, _Operator]] = {
    _Operator.CHILD: _Operator.PARENT,
    _Operator.PARENT: _Operator.CHILD,
    _Operator.DESCENDANT: _Operator.ANCESTOR,
    _Operator.ANCESTOR: _Operator.DESCENDANT,
    _Operator.SIBLING: _Operator.SIBLING,
}


def combine(
    operator: SpansetOperator, base: Spansets, sides: tuple[Spansets, Spansets], view: View, check: Check
) -> Spansets:
    """The result of an operator for each spanset of `base`, of which both sides were made."""
    left, right = sides
    if operator in (_Operator.AND, _Operator.OR):
        return _logical(operator, base, left, right, view.rows("spans"))
    for side in (left, right):
        if len(distinct_numbers(side.source)) < len(side):
            raise QueryError(
                "spanset operators are not supported for multiple spansets per trace. consider using coalesce()"
            )
    number = _layers(base)
    if not number.any():
        return _structural(operator, base, left, right, view)
    parts = []
    for layer in range(int(number.max()) + 1):
        check()
        mine = number == layer
        parts.append(_structural(operator, base, _from(left, mine), _from(right, mine), view))
    rows = np.concatenate([part.span_rows() for part in parts])
    of = np.concatenate([part.source[part.of] for part in parts])
    order = np.argsort(of, kind="stable")
    return base.regrouped(rows[order], of[order])


def _logical(operator: SpansetOperator, base: Spansets, left: Spansets, right: Spansets, spans: int) -> Spansets:
    """All spans of both sides, of those spansets for which both sides, or either, found any."""
    chosen = np.zeros(spans, np.bool_)
    for side in (left, right):
        chosen[slice(None) if side.rows is None else side.rows] = True
    mask = chosen if base.rows is None else chosen[base.rows]
    if operator is _Operator.AND:
        there = np.zeros(len(base), np.bool_)
        there[_common(left.source, right.source, len(base))] = True
        mask &= there[base.of]
    return base.where(mask)


def _layers(base: Spansets) -> Rows:
    """A number for each spanset, such that no two of one trace have the same."""
    order = np.argsort(base.trace, kind="stable")
    ordered = base.trace[order]
    starts = np.searchsorted(ordered, ordered, side="left")
    number = np.empty(len(base), np.int64)
    number[order] = np.arange(len(base)) - starts
    return number


def _from(side: Spansets, sources: Mask) -> Spansets:
    kept = side.only(sources[side.source])
    return replace(kept, source=side.source[kept.source])


def _structural(operator: SpansetOperator, base: Spansets, left: Spansets, right: Spansets, view: View) -> Spansets:
    both = _common(left.trace, right.trace, view.rows("traces"))
    mine, others = right.span_rows(), left.span_rows()
    of = right.source[right.of]
    relation = _NEGATED.get(operator, _UNIONS.get(operator, operator))
    parent = parents_in(view, both) if len(both) else None
    hit = _related(relation, others, mine, parent, view)
    if operator in _NEGATED:
        hit = ~hit
    if operator not in _UNIONS:
        return base.regrouped(mine[hit], of[hit])
    back = _related(_INVERSE[relation], mine, others, parent, view)
    rows = np.concatenate([mine[hit], others[back]])
    of = np.concatenate([of[hit], left.source[left.of][back]])
    order = np.lexsort((rows, of))
    rows, of = rows[order], of[order]
    first = np.append(True, rows[1:] != rows[:-1])[: len(rows)]
    return base.regrouped(rows[first], of[first])


def _common(left: Rows, right: Rows, numbers: int) -> Rows:
    """What is on both sides, ascending."""
    on_left, on_both = np.zeros((2, numbers), np.bool_)
    on_left[left] = True
    on_both[right] = on_left[right]
    return np.flatnonzero(on_both)


def _related(relation: SpansetOperator, left: Rows, right: Rows, parent: Rows | None, view: View) -> Mask:
    """Which of the spans on the right stand in the relation to any on the left; without parents none does."""
    if parent is None:
        return np.zeros(len(right), np.bool_)
    if relation is _Operator.SIBLING:
        return _siblings(left, right, parent, view)
    chosen = np.zeros(len(parent), np.bool_)
    chosen[left] = True
    if relation is _Operator.CHILD:
        above = parent[right]
        return (above >= 0) & chosen[np.maximum(above, 0)]
    if relation is _Operator.DESCENDANT:
        return descendants(parent, chosen, right)
    if relation is _Operator.ANCESTOR:
        return ancestors(parent, left, len(parent))[right]
    chosen[:] = False
    above = parent[left]
    chosen[above[above >= 0]] = True
    return chosen[right]


def _siblings(left: Rows, right: Rows, parent: Rows, view: View) -> Mask:
    """Spans with another child of the same parent on the left; the roots of a trace are siblings too."""
    trace = view.index("spans", "trace")
    family = np.where(parent == ROOT, len(parent) + trace, parent)
    left = left[parent[left] != UNCONNECTED]
    members = np.bincount(family[left], minlength=len(parent) + view.rows("traces"))
    counted = np.zeros(len(parent), np.int64)
    counted[left] = 1
    connected = parent[right] != UNCONNECTED
    others = members[np.where(connected, family[right], 0)] - counted[right]
    found: Mask = connected & (others > 0)
    return found
