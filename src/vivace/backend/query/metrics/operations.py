"""Arithmetic between series: those with equal labels go together, and one without labels goes with all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from vivace.backend.query.metrics.numbers import Floats
from vivace.backend.query.metrics.series import NAME, Labels, Series
from vivace.traceql.tree import Operator

_COMPUTE: Final[Mapping[Operator, Callable[[Any, Any], Any]]] = {
    Operator.ADD: np.add,
    Operator.SUBTRACT: np.subtract,
    Operator.MULTIPLY: np.multiply,
    Operator.DIVIDE: np.divide,
}

Operand = Sequence[Series] | float


def operated(operator: Operator, left: Operand, right: Operand) -> Operand:
    """The result of an operation; of two numbers a number."""
    if isinstance(left, float):
        if isinstance(right, float):
            return float(_computed(operator, np.array([left]), np.array([right]))[0])
        return [Series(one.labels, _computed(operator, np.full_like(one.values, left), one.values)) for one in right]
    if isinstance(right, float):
        return [Series(one.labels, _computed(operator, one.values, np.full_like(one.values, right))) for one in left]
    return _matched(operator, left, right)


def _matched(operator: Operator, left: Sequence[Series], right: Sequence[Series]) -> list[Series]:
    lefts, rights = ({_grouping(one.labels): one for one in side} for side in (left, right))
    if () in rights and () not in lefts:
        rights = dict.fromkeys(lefts, rights[()])
    elif () in lefts and () not in rights:
        lefts = dict.fromkeys(rights, lefts[()])
    return [
        Series(
            labels or _named(operator, lefts[labels].labels, rights[labels].labels),
            _computed(operator, lefts[labels].values, rights[labels].values),
        )
        for labels in lefts
        if labels in rights
    ]


def _computed(operator: Operator, left: Floats, right: Floats) -> Floats:
    """Division by zero gives no value."""
    with np.errstate(all="ignore"):
        values: Floats = _COMPUTE[operator](left, right)
    return np.where(right == 0, np.nan, values) if operator is Operator.DIVIDE else values


def _grouping(labels: Labels) -> Labels:
    return tuple(label for label in labels if label[0] != NAME)


def _named(operator: Operator, left: Labels, right: Labels) -> Labels:
    names = [str(dict(labels)[NAME][1]) for labels in (left, right)]
    return ((NAME, ("stringValue", f"({names[0]} {operator} {names[1]})")),)
