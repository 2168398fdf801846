"""Arithmetic of literals, done before data is seen: 64-bit integers, floats and durations, by the rules of Go."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from vivace.traceql.literals import MAX_INT, MIN_INT
from vivace.traceql.tree import Binary, FieldExpression, Operator, Static, StaticType, Unary
from vivace.traceql.types import ARITHMETIC, NUMERIC

Number = int | float


def negated(operand: Static) -> Static:
    """The literal with its sign turned; the smallest integer stays what it is."""
    return _static(operand.type, operand.value if operand.value == MIN_INT else -number(operand))


def fold(operator: Operator, left: Static, right: Static) -> Static:
    """The literal that arithmetic of two literals gives; ValueError when that is not a finite number of its type."""
    types = {left.type, right.type}
    floating = StaticType.FLOAT in types
    try:
        value = (_FLOATS if floating else _INTEGERS)[operator](number(left), number(right))
    except ZeroDivisionError:
        raise ValueError("modulo by zero" if operator is Operator.MODULO else "division by zero") from None
    except OverflowError:
        raise ValueError("number out of range") from None
    if StaticType.DURATION in types:
        return _static(StaticType.DURATION, value)
    return _static(StaticType.FLOAT if floating else StaticType.INT, value)


def constant(expression: FieldExpression) -> Static | None:
    """The number that a field expression of literals alone stands for; None where there is no one number."""
    match expression:
        case Static() if expression.type in NUMERIC:
            return expression
        case Unary(operator=Operator.NEGATE):
            operand = constant(expression.operand)
            return operand and negated(operand)
        case Binary() if expression.operator in ARITHMETIC:
            left, right = constant(expression.left), constant(expression.right)
            return _folded(expression.operator, left, right) if left and right else None
        case _:
            return None


def _folded(operator: Operator, left: Static, right: Static) -> Static | None:
    if operator is Operator.POWER and number(right) < 0:  # of fields it is a fraction, of scalars it is cut off
        return None
    try:
        return fold(operator, left, right)
    except ValueError:
        return None


def number(static: Static) -> Number:
    """The value of a numeric literal."""
    if isinstance(static.value, bool) or not isinstance(static.value, int | float):
        raise TypeError(f"not a number: {static}")
    return static.value


def _static(kind: StaticType, value: object) -> Static:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("number out of range")
    if kind is StaticType.FLOAT:
        return Static(kind, float(value))
    if not (MIN_INT if kind is StaticType.INT else -MAX_INT) <= value <= MAX_INT:
        raise ValueError("number out of range")
    return Static(kind, int(value))


def _quotient(left: Number, right: Number) -> int:
    """Whole division towards zero."""
    quotient = abs(left) // abs(right)
    return int(quotient if (left < 0) == (right < 0) else -quotient)


def _integer_power(base: Number, exponent: Number) -> Number:
    if exponent < 0 or (abs(base) > 1 and exponent > 64):  # too small or too large for an integer of 64 bits
        return math.trunc(math.pow(base, exponent))
    return int(math.pow(base, exponent)) if abs(base) <= 1 else int(base) ** int(exponent)


_FLOATS: Final[dict[Operator, Callable[[Number, Number], Number]]] = {
    Operator.ADD: lambda left, right: left + right,
    Operator.SUBTRACT: lambda left, right: left - right,
    Operator.MULTIPLY: lambda left, right: left * right,
    Operator.DIVIDE: lambda left, right: left / right,
    Operator.MODULO: math.fmod,
    Operator.POWER: math.pow,
}
_INTEGERS: Final = _FLOATS | {
    Operator.DIVIDE: _quotient,
    Operator.MODULO: lambda left, right: left - right * _quotient(left, right),
    Operator.POWER: _integer_power,
}
