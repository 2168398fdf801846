"""Integers and floats compared as the numbers that they are; turned into one another, large ones would be rounded."""

from __future__ import annotations

import math
import operator as python
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import numpy as np

from vivace.backend.query.value import Array, Mask
from vivace.traceql.tree import Operator

NUMERIC: Final[Mapping[Operator, Callable[[Any, Any], Any]]] = {
    Operator.EQUAL: python.eq,
    Operator.NOT_EQUAL: python.ne,
    Operator.LESS: python.lt,
    Operator.LESS_EQUAL: python.le,
    Operator.GREATER: python.gt,
    Operator.GREATER_EQUAL: python.ge,
}
EQUALITY: Final = frozenset({Operator.EQUAL, Operator.NOT_EQUAL})
_UPWARDS: Final = frozenset({Operator.LESS, Operator.GREATER_EQUAL})
"""Of integers x < 1.5 says what x < 2 says, and x >= 1.5 what x >= 2 says; the others go by the integer below."""
_EXACT: Final = 1 << 53
"""Floats hold all integers up to this."""
_END: Final = 1 << 63
"""The first integer that no column holds."""


def against(operator: Operator, data: Array, number: float) -> Mask:
    """Where the comparison of integers, or of floats, with a number of either kind holds."""
    below, above = _around(data, number)
    if operator not in EQUALITY:
        return np.asarray(NUMERIC[operator](data, above if operator in _UPWARDS else below))
    if below != above:
        return np.full(len(data), operator is Operator.NOT_EQUAL)
    return np.asarray(NUMERIC[operator](data, below))


def across(operator: Operator, integers: Array, floats: Array) -> Mask:
    """Where the comparison of integers with floats holds, row by row."""
    if integers.min(initial=0) >= -_EXACT and integers.max(initial=0) <= _EXACT:
        return np.asarray(NUMERIC[operator](integers, floats))
    whole = np.ceil(floats) if operator in _UPWARDS else np.floor(floats)
    like = (whole >= -_END) & (whole < _END)
    if operator in EQUALITY:
        like &= whole == floats
    exact = NUMERIC[operator](integers, np.where(like, whole, 0).astype(np.int64))
    found: Mask = np.where(like, exact, NUMERIC[operator](0.0, floats))
    return found


def among(data: Array, numbers: Iterable[float]) -> Mask:
    """Where integers, or floats, equal any of the numbers, which are of either kind."""
    around = (_around(data, number) for number in numbers)
    same = [below for below, above in around if below == above]
    if data.dtype.kind == "f":
        return np.isin(data, np.array(same, np.float64))
    fitting = [number for number in same if -_END <= number < _END]
    return np.isin(data.astype(np.int64, copy=False), np.array(fitting, np.int64))


def _around(data: Array, number: float) -> tuple[float, float]:
    """The next numbers of the kind of the data that are not above, and not below, a number; the same when it is one."""
    if data.dtype.kind != "f":
        return math.floor(number), math.ceil(number)
    near = float(number)
    return (
        near if near <= number else math.nextafter(near, -math.inf),
        near if near >= number else math.nextafter(near, math.inf),
    )
