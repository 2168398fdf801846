"""Arithmetic on values: integers stay integers (division truncates, overflow wraps), everything else becomes float."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from vivace.backend.query.value import NUMBERS, Array, Column, Part, Type, Value
from vivace.errors import QueryError
from vivace.traceql.constants import constant
from vivace.traceql.tree import Binary, FieldExpression, Operator, Static, StaticType, Unary

_Compute = Callable[[Array, Array], Array]


def _truncated(left: Array, right: Array) -> Array:
    quotient = np.floor_divide(left, right)
    inexact = (np.multiply(quotient, right) != left) & ((left < 0) != (right < 0))
    return np.asarray(quotient + inexact)


def _power(left: Array, right: Array) -> Array:
    if (right < 0).any():
        return np.power(left.astype(np.float64), right.astype(np.float64))
    return np.asarray(np.power(left, right))


_INTEGERS: Final[Mapping[Operator, _Compute]] = {
    Operator.ADD: np.add,
    Operator.SUBTRACT: np.subtract,
    Operator.MULTIPLY: np.multiply,
    Operator.DIVIDE: _truncated,
    Operator.MODULO: np.fmod,
    Operator.POWER: _power,
}
_FLOATS: Final[Mapping[Operator, _Compute]] = {
    **_INTEGERS,
    Operator.DIVIDE: np.true_divide,
    Operator.POWER: np.power,
}
ARITHMETIC: Final = frozenset(_INTEGERS)


def calculate(operator: Operator, left: Value, right: Value, rows: int) -> tuple[Part, ...]:
    """The result where both sides are numbers, nil elsewhere."""
    return tuple(_column(operator, a, b) for a in _columns(left, rows) for b in _columns(right, rows))


def negate(value: Value) -> Value:
    """The numbers with the other sign, nil where there is none."""
    if isinstance(value, Static):
        number = value.value
        return Static(value.type, -number) if isinstance(number, (int, float)) else value
    return tuple(
        Column(part.type, np.negative(part.data), part.present)
        for part in value
        if isinstance(part, Column) and part.type in NUMBERS
    )


def divides(expression: FieldExpression) -> bool:
    """Whether an expression divides by what the data hold: rows that are not asked for must not be looked at."""
    if isinstance(expression, Unary):
        return divides(expression.operand)
    if not isinstance(expression, Binary):
        return False
    if expression.operator in (Operator.DIVIDE, Operator.MODULO) and constant(expression.right) is None:
        return True
    return divides(expression.left) or divides(expression.right)


def _columns(value: Value, rows: int) -> list[Column]:
    if not isinstance(value, Static):
        return [part for part in value if isinstance(part, Column) and part.type in NUMBERS]
    if value.type not in (StaticType.INT, StaticType.FLOAT, StaticType.DURATION):
        return []
    kind = Type.INT if value.type is StaticType.INT else Type.FLOAT
    return [Column(kind, np.full(rows, value.value, np.int64 if kind is Type.INT else np.float64))]


def _column(operator: Operator, left: Column, right: Column) -> Column:
    known = left.known & right.known
    if left.type is Type.INT and right.type is Type.INT:
        divisor = right.data
        if operator in (Operator.DIVIDE, Operator.MODULO):
            if (known & (divisor == 0)).any():
                raise QueryError("division by zero" if operator is Operator.DIVIDE else "modulo by zero")
            divisor = np.where(known, divisor, 1)
        with np.errstate(all="ignore"):
            data = _INTEGERS[operator](left.data, divisor)
        return Column(Type.FLOAT if data.dtype.kind == "f" else Type.INT, data, known)
    with np.errstate(all="ignore"):
        return Column(Type.FLOAT, _FLOATS[operator](_float(left), _float(right)), known)


def _float(column: Column) -> Array:
    return column.data.astype(np.float64)
