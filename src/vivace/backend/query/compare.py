"""Comparisons between values: which rows satisfy them. Values of types that do not go together satisfy none."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vivace.backend.query import exact
from vivace.backend.query.exact import EQUALITY, NUMERIC
from vivace.backend.query.value import (
    KINDS,
    NUMBERS,
    STATUSES,
    Array,
    Column,
    Identifiers,
    Lists,
    Mask,
    Part,
    Type,
    Value,
)
from vivace.backend.store.distinct import distinct_numbers
from vivace.errors import QueryError
from vivace.traceql.regex import anchored
from vivace.traceql.tree import Operator, Static, StaticType

FLIPPED: Final[Mapping[Operator, Operator]] = {
    Operator.LESS: Operator.GREATER,
    Operator.LESS_EQUAL: Operator.GREATER_EQUAL,
    Operator.GREATER: Operator.LESS,
    Operator.GREATER_EQUAL: Operator.LESS_EQUAL,
}
Check = Callable[[], None]
"""Raises when nobody waits for the answer any more."""


def still() -> None:
    """Somebody waits for the answer."""


_TEXTUAL: Final[Mapping[Operator, str]] = {
    Operator.EQUAL: "equal",
    Operator.NOT_EQUAL: "not_equal",
    Operator.LESS: "less",
    Operator.LESS_EQUAL: "less_equal",
    Operator.GREATER: "greater",
    Operator.GREATER_EQUAL: "greater_equal",
}
_NONE_MAY: Final = frozenset({Operator.NOT_EQUAL, Operator.NOT_REGEX})
_LITERALS: Final[Mapping[StaticType, Type]] = {
    StaticType.STRING: Type.STRING,
    StaticType.INT: Type.INT,
    StaticType.FLOAT: Type.FLOAT,
    StaticType.BOOL: Type.BOOL,
    StaticType.DURATION: Type.DURATION,
    StaticType.STATUS: Type.STATUS,
    StaticType.KIND: Type.KIND,
}
_FEW: Final = 4
"""The strings in use are sought out when there are so many times as many as rows."""
_AT_FIRST: Final = 4096
"""Strings matched before looking at the clock for the first time."""
_MOMENT_S: Final = 0.02
COMPARISONS: Final = frozenset({*NUMERIC, Operator.REGEX, Operator.NOT_REGEX})


def compare(operator: Operator, left: Value, right: Value, rows: int, check: Check = still) -> Mask:
    """The rows for which the comparison holds. Of an array any element may satisfy it; for != and !~ all must.

    `check` is called now and then, and may raise.
    """
    if isinstance(left, Static):
        if isinstance(right, Static):
            return np.full(rows, _constants(operator, left, right))
        return compare(FLIPPED.get(operator, operator), right, left, rows, check)
    mask = np.zeros(rows, np.bool_)
    for part in left:
        for other in (right,) if isinstance(right, Static) else right:
            mask |= _judge(operator, part, other, check)
    return mask


def _judge(operator: Operator, left: Part, right: Part | Static, check: Check) -> Mask:
    if isinstance(left, Identifiers):
        return _identifiers(operator, left, right, check)
    if isinstance(right, Identifiers):
        return _identifiers(FLIPPED.get(operator, operator), right, left, check)
    if isinstance(left, Lists):
        if isinstance(right, Lists):
            return np.zeros(len(left), np.bool_)
        other = right if isinstance(right, Static) else right.take(left.row)
        return _reduced(operator, left, _scalars(operator, left.elements, other, check))
    if isinstance(right, Lists):
        flipped = FLIPPED.get(operator, operator)
        return _reduced(operator, right, _scalars(flipped, right.elements, left.take(right.row), check))
    return _scalars(operator, left, right, check)


def among(operator: Operator, left: Sequence[Part], literals: Sequence[Static], rows: int) -> Mask:
    """The rows for which a value equals any of the literals; with != those for which it differs from all of them.

    All literals are of one type, or numbers.
    """
    mask = np.zeros(rows, np.bool_)
    for part in left:
        if isinstance(part, Lists):
            mask |= _reduced(operator, part, _among(operator, part.elements, literals))
        else:
            mask |= _among(operator, part, literals)
    return mask


def _among(operator: Operator, part: Column | Identifiers, literals: Sequence[Static]) -> Mask:
    kind = Type.STRING if isinstance(part, Identifiers) else part.type
    if not _together(kind, _LITERALS[literals[0].type]):
        return np.zeros(len(part), np.bool_)
    found = part.within([str(one.value) for one in literals]) if isinstance(part, Identifiers) else _in(part, literals)
    return found if operator is Operator.EQUAL else ~found & part.known


def _in(column: Column, literals: Sequence[Static]) -> Mask:
    if column.type is Type.STRING:
        words = pa.array([], pa.string()) if column.words is None else column.words
        return _looked_up(column, _truth(pc.is_in(words, pa.array([str(one.value) for one in literals], pa.string()))))
    return exact.among(column.data, map(_number, literals)) & column.known


def _identifiers(operator: Operator, left: Identifiers, right: Part | Static, check: Check) -> Mask:
    if isinstance(right, Static) and right.type is StaticType.STRING and operator in EQUALITY:
        equal = left.equal(str(right.value))
        return equal if operator is Operator.EQUAL else ~equal
    if isinstance(right, Identifiers) and operator in EQUALITY and len(right.words) == len(left.words):
        same = np.logical_and.reduce([a == b for a, b in zip(left.words, right.words, strict=True)])
        return np.asarray(same if operator is Operator.EQUAL else ~same)
    if isinstance(right, (Column, Lists)) and operator in EQUALITY:
        right = left.spelt(right)
    return _judge(operator, left.column(), right, check)


def _reduced(operator: Operator, arrays: Lists, elements: Mask) -> Mask:
    hits = np.bincount(arrays.row[elements], minlength=len(arrays))
    if operator not in _NONE_MAY:
        return np.asarray(hits > 0)
    return np.asarray((hits == np.bincount(arrays.row, minlength=len(arrays))) & (hits > 0))


def _scalars(operator: Operator, left: Column, right: Column | Static, check: Check) -> Mask:
    if isinstance(right, Static):
        return _against_literal(operator, left, right, check)
    if not _together(left.type, right.type):
        return np.zeros(len(left), np.bool_)
    if left.type is Type.STRING:
        return _strings(operator, left, right)
    if not _allowed(operator, left.type):
        return np.zeros(len(left), np.bool_)
    return _numbers(operator, left.data, right.data) & left.known & right.known


def _numbers(operator: Operator, left: Array, right: Array) -> Mask:
    if (left.dtype.kind == "f") == (right.dtype.kind == "f"):
        return np.asarray(NUMERIC[operator](left, right))
    if left.dtype.kind == "f":
        return exact.across(FLIPPED.get(operator, operator), right, left)
    return exact.across(operator, left, right)


def _against_literal(operator: Operator, column: Column, literal: Static, check: Check) -> Mask:
    kind = _LITERALS.get(literal.type)
    if kind is None or not _together(column.type, kind):
        return np.zeros(len(column), np.bool_)
    if column.type is Type.STRING:
        return _words(operator, column, str(literal.value), check)
    if not _allowed(operator, column.type):
        return np.zeros(len(column), np.bool_)
    mask = exact.against(operator, column.data, _number(literal))
    return mask if column.present is None else mask & column.present


def _number(literal: Static) -> int | float | bool:
    if literal.type is StaticType.STATUS:
        return STATUSES.index(str(literal.value))
    if literal.type is StaticType.KIND:
        return KINDS.index(str(literal.value))
    value = literal.value
    assert isinstance(value, (int, float))  # noqa: S101 - nil and strings have no number
    return value


def _words(operator: Operator, column: Column, text: str, check: Check) -> Mask:
    """Strings are compared once per distinct one, then looked up by number."""
    words = pa.array([], pa.string()) if column.words is None else column.words
    if operator in EQUALITY:
        code = pc.index(words, pa.scalar(text, pa.string())).as_py()
        if operator is Operator.EQUAL:
            return np.zeros(len(column), np.bool_) if code < 0 else np.asarray(column.data == code)
        return np.asarray(column.data >= 0 if code < 0 else (column.data != code) & column.known)
    if operator in (Operator.REGEX, Operator.NOT_REGEX):
        return _regex(operator, column, words, text, check)
    return _looked_up(column, _truth(pc.call_function(_TEXTUAL[operator], [words, pa.scalar(text, pa.string())])))


def _regex(operator: Operator, column: Column, words: pa.StringArray, pattern: str, check: Check) -> Mask:
    """Of a column that uses few of its strings, only these are matched."""
    used = None if len(column) * _FEW > len(words) else distinct_numbers(column.data[column.known])
    found = matching(words if used is None else words.take(pa.array(used)), pattern, check)
    by_word = found
    if used is not None:
        by_word = np.zeros(len(words), np.bool_)
        by_word[used] = found
    return _looked_up(column, by_word if operator is Operator.REGEX else ~by_word)


def matching(words: pa.StringArray, pattern: str, check: Check = still) -> Mask:
    """Which strings match a regular expression as a whole.

    RE2 takes time in proportion to text and pattern, whatever the pattern; but that may be 50 us per byte. So it is
    given as many strings at once as take no more than a moment.
    """
    found, first, some = [np.zeros(0, np.bool_)], 0, _AT_FIRST
    while first < len(words):
        check()
        started = time.perf_counter()
        found.append(_matching(words.slice(first, some), pattern))
        first += some
        some = 2 * some if time.perf_counter() - started < _MOMENT_S else max(1, some // 2)
    return np.concatenate(found)


def _matching(words: pa.StringArray, pattern: str) -> Mask:
    try:
        return _truth(pc.match_substring_regex(words, pattern=anchored(pattern)))
    except pa.ArrowInvalid as error:
        raise QueryError(f"invalid regex: {pattern}") from error


def _looked_up(column: Column, by_word: Mask) -> Mask:
    if not by_word.any():
        return np.zeros(len(column), np.bool_)
    return np.append(by_word, False)[column.data]


def _strings(operator: Operator, left: Column, right: Column) -> Mask:
    sides = [_decoded(left), _decoded(right)]
    if operator in (Operator.REGEX, Operator.NOT_REGEX):
        raise QueryError("the right side of a regular expression match must be a string literal")
    return _truth(pc.call_function(_TEXTUAL[operator], sides).fill_null(False))


def _decoded(column: Column) -> pa.StringArray:
    words = pa.array([], pa.string()) if column.words is None else column.words
    return words.take(pa.array(column.data, mask=column.data < 0))


def _truth(array: pa.BooleanArray) -> Mask:
    mask: Mask = array.to_numpy(zero_copy_only=False)
    return mask


def _together(left: Type, right: Type) -> bool:
    return left is right or (left in NUMBERS and right in NUMBERS)


def _allowed(operator: Operator, kind: Type) -> bool:
    return operator in NUMERIC if kind in NUMBERS else operator in EQUALITY


def _constants(operator: Operator, left: Static, right: Static) -> bool:
    kind = _LITERALS.get(left.type)
    if kind is None:
        return False
    if kind is Type.STRING:
        column = Column(kind, np.zeros(1, np.int32), None, pa.array([str(left.value)], pa.string()))
    else:
        data: Array = np.array([_number(left)])
        column = Column(kind, data)
    return bool(_against_literal(operator, column, right, still)[0])
