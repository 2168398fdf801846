"""Values as groups: equal ones get the same number, in every type that a field can have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from vivace.backend.query.value import Array, Column, Identifiers, Lists, Part, Rows, Type, Value
from vivace.traceql.tree import Static

_NIL: Final = -1
_DENSE: Final = 1 << 22
"""Up to this range numbers are counted in an array instead of sorted."""


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
    for part in united(parts):
        numbered = _codes(part)
        known = part.known & (codes == _NIL)
        codes[known] = numbered[known] + highest
        highest += int(numbered.max(initial=0)) + 1
    return codes


def united(parts: Sequence[Part]) -> list[Part]:
    """The same with one column per type: a key may have values of one type on spans and on resources."""
    by_type: dict[Type, list[Column]] = {}
    others: list[Part] = []
    for part in parts:
        if isinstance(part, Column):
            by_type.setdefault(part.type, []).append(part)
        else:
            others.append(part)
    return [*(same[0] if len(same) == 1 else _joined(same) for same in by_type.values()), *others]


def _joined(same: Sequence[Column]) -> Column:
    if same[0].type is Type.STRING:
        same = _with_common_words(same)
    data, known = same[0].data.copy(), same[0].known
    for column in same[1:]:
        fresh = column.known & ~known
        data[fresh] = column.data[fresh]
        known = known | fresh
    return Column(same[0].type, data, known, same[0].words)


def _with_common_words(same: Sequence[Column]) -> list[Column]:
    words = [pa.array([], pa.string()) if column.words is None else column.words for column in same]
    encoded = pa.concat_arrays(words).dictionary_encode()
    numbers = np.append(encoded.indices.to_numpy(), -1)
    starts = np.cumsum([0, *(len(one) for one in words)])
    return [
        Column(Type.STRING, numbers[np.where(column.known, column.data + start, -1)], None, encoded.dictionary)
        for column, start in zip(same, starts, strict=False)
    ]


def _codes(part: Part) -> Rows:
    if isinstance(part, Identifiers):
        return part.distinct()[0]
    if isinstance(part, Lists):
        return _list_codes(part)
    if part.type is Type.STRING:
        return part.data.astype(np.int64)
    return compact(part.data.astype(np.int64))[0] if part.data.dtype.kind in "biu" else _distinct(part.data)[0]


def compact(numbers: Rows) -> tuple[Rows, Rows]:
    """Numbers from 0 on instead of these, in their order, and the first row that has each."""
    if not len(numbers):
        return numbers, numbers
    least, most = int(numbers.min()), int(numbers.max())
    if most - least > _DENSE:
        return _distinct(numbers)
    if least == most:
        return np.zeros(len(numbers), np.int64), np.zeros(1, np.int64)
    offset = numbers - least
    first = np.full(most - least + 1, -1, np.int64)
    first[offset[::-1]] = np.arange(len(numbers) - 1, -1, -1)
    there = first >= 0
    return (np.cumsum(there) - 1)[offset], first[there]


def _distinct(values: Array) -> tuple[Rows, Rows]:
    _, first, codes = np.unique(values, return_index=True, return_inverse=True)
    return codes.reshape(-1).astype(np.int64), first


def _list_codes(arrays: Lists) -> Rows:
    """Arrays are told apart by their length, then by one element after the other."""
    counts = np.bincount(arrays.row, minlength=len(arrays))
    starts, elements = np.cumsum(counts) - counts, _codes(arrays.elements)
    if not arrays.elements.known.all():
        elements = np.where(arrays.elements.known, elements, _NIL)
    codes, highest = counts.astype(np.int64), int(counts.max(initial=0)) + 1
    longer = np.flatnonzero(counts)
    for place in range(int(counts.max(initial=0))):
        longer = longer[counts[longer] > place]
        element = elements[starts[longer] + place] + 1
        _, number = np.unique(codes[longer] * (int(element.max()) + 1) + element, return_inverse=True)
        codes[longer] = number + highest
        highest += int(number.max()) + 1
    return compact(codes)[0]
