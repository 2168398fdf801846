"""Values as groups: equal ones get the same number, in every type that a field can have."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

import numpy as np

from vivace.backend.query.value import Column, Identifiers, Lists, Part, Rows, Type, Value
from vivace.traceql.tree import Static

_NIL: Final = -1


def columns(value: Value, rows: int) -> tuple[Part, ...]:
    """A value as columns of so many rows, also when it is a literal."""
    return _literal(value, rows) if isinstance(value, Static) else tuple(value)


def _literal(literal: Static, rows: int) -> tuple[Part, ...]:
    """A literal in every row."""
    if isinstance(literal.value, str):
        return (Column(Type.STRING, np.full(rows, -1, np.int32)).default(literal.value),)
    if literal.value is None:
        return ()
    return (Column(Type(literal.type.value), np.full(rows, literal.value)),)


def group_codes(parts: Sequence[Part], rows: int) -> Rows:
    """A number per distinct value, the same for the same value; -1 for nil. They follow the values' order."""
    codes = np.full(rows, _NIL, np.int64)
    highest = 0
    for part in parts:
        numbered = _codes(part)
        known = part.known & (codes == _NIL)
        codes[known] = numbered[known] + highest
        highest += int(numbered.max(initial=0)) + 1
    return codes


def _codes(part: Part) -> Rows:
    if isinstance(part, Identifiers):
        return _codes(part.column())
    if isinstance(part, Lists):
        return _list_codes(part)
    if part.type is Type.STRING:
        return part.data.astype(np.int64)
    distinct, codes = np.unique(part.data, return_inverse=True)
    return np.asarray(codes.reshape(-1) if len(distinct) else codes, np.int64)


def _list_codes(arrays: Lists) -> Rows:
    """Arrays are few where they are grouped by at all, so their elements are compared one by one."""
    numbers: dict[tuple[object, ...], int] = {}
    bounds = np.searchsorted(arrays.row, np.arange(len(arrays) + 1))
    values = [arrays.elements.python(place) for place in range(len(arrays.elements))]
    keys = [tuple(values[start:stop]) for start, stop in itertools.pairwise(bounds)]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)
