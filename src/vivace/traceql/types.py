"""The types that are known before data is seen, and which operators take which of them."""

from __future__ import annotations

from typing import Final, assert_never

from vivace.traceql.tree import (
    Attribute,
    Binary,
    FieldExpression,
    Intrinsic,
    IntrinsicField,
    Operator,
    Static,
    StaticType,
    Unary,
)

NUMERIC: Final = frozenset({StaticType.INT, StaticType.FLOAT, StaticType.DURATION})
ARITHMETIC: Final = frozenset(
    {Operator.ADD, Operator.SUBTRACT, Operator.MULTIPLY, Operator.DIVIDE, Operator.MODULO, Operator.POWER}
)
LOGICAL: Final = frozenset({Operator.AND, Operator.OR})
EQUALITY: Final = frozenset({Operator.EQUAL, Operator.NOT_EQUAL})
ORDER: Final = frozenset({Operator.LESS, Operator.LESS_EQUAL, Operator.GREATER, Operator.GREATER_EQUAL})
REGEX: Final = frozenset({Operator.REGEX, Operator.NOT_REGEX})

_INTRINSIC_TYPES: Final = {
    Intrinsic.SPAN_DURATION: StaticType.DURATION,
    Intrinsic.SPAN_KIND: StaticType.KIND,
    Intrinsic.SPAN_STATUS: StaticType.STATUS,
    Intrinsic.SPAN_CHILD_COUNT: StaticType.INT,
    Intrinsic.NESTED_SET_LEFT: StaticType.INT,
    Intrinsic.NESTED_SET_RIGHT: StaticType.INT,
    Intrinsic.NESTED_SET_PARENT: StaticType.INT,
    Intrinsic.PARENT: StaticType.NIL,
    Intrinsic.TRACE_DURATION: StaticType.DURATION,
    Intrinsic.EVENT_TIME_SINCE_START: StaticType.DURATION,
}


def intrinsic_type(intrinsic: Intrinsic) -> StaticType:
    """What an intrinsic's values are."""
    return _INTRINSIC_TYPES.get(intrinsic, StaticType.STRING)


def static_type(expression: FieldExpression) -> StaticType:
    """The type of a valid expression; ATTRIBUTE where only data can tell."""
    match expression:
        case Static():
            return expression.type
        case Attribute():
            return StaticType.ATTRIBUTE
        case IntrinsicField():
            return intrinsic_type(expression.intrinsic)
        case Unary():
            return StaticType.BOOL if expression.operator is Operator.NOT else static_type(expression.operand)
        case Binary() if expression.operator in ARITHMETIC:
            left = static_type(expression.left)
            return left if left is not StaticType.ATTRIBUTE else static_type(expression.right)
        case Binary():
            return StaticType.BOOL
        case _:
            assert_never(expression)


def decided(expression: FieldExpression) -> bool:
    """Whether the expression is true or false whatever the data hold, and never nil."""
    match expression:
        case Static():
            return expression.type is StaticType.BOOL
        case Unary():
            return expression.operator is Operator.NOT and decided(expression.operand)
        case Binary():
            return expression.operator not in ARITHMETIC
        case _:
            return False


def references_span(expression: FieldExpression) -> bool:
    """Whether the expression reads anything of a span."""
    match expression:
        case Static():
            return False
        case Attribute() | IntrinsicField():
            return True
        case Unary():
            return references_span(expression.operand)
        case Binary():
            return references_span(expression.left) or references_span(expression.right)
        case _:
            assert_never(expression)


def comparable(left: StaticType, right: StaticType) -> bool:
    """Whether values of the two types can stand at the sides of one operator."""
    return left is right or StaticType.ATTRIBUTE in {left, right} or {left, right} <= NUMERIC


def takes(operator: Operator, operand: StaticType) -> bool:
    """Whether a binary operator, or NOT or NEGATE, takes an operand of the type."""
    if operand is StaticType.ATTRIBUTE or operator in EQUALITY:
        return True
    if operator in LOGICAL or operator is Operator.NOT:
        return operand is StaticType.BOOL
    if operator in ORDER:
        return operand in NUMERIC or operand is StaticType.STRING
    if operator in REGEX:
        return operand is StaticType.STRING
    return operand in NUMERIC
