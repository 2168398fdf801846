"""Evaluates a field expression for one span of a trace."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from vivace.query.oracle.trace import KINDS, STATUSES, SentSpan, SentTrace, Undecided, Value, plain
from vivace.traceql.regex import anchored
from vivace.traceql.tree import (
    Attribute,
    Binary,
    FieldExpression,
    Intrinsic,
    IntrinsicField,
    Operator,
    Scope,
    Static,
    StaticType,
    Unary,
)

ORDER: Final[Mapping[Operator, Callable[..., bool]]] = {
    Operator.EQUAL: operator.eq,
    Operator.NOT_EQUAL: operator.ne,
    Operator.LESS: operator.lt,
    Operator.LESS_EQUAL: operator.le,
    Operator.GREATER: operator.gt,
    Operator.GREATER_EQUAL: operator.ge,
}
INTRINSICS: Final[Mapping[Intrinsic, Callable[[SentTrace, SentSpan], Value]]] = {
    Intrinsic.SPAN_DURATION: lambda _, one: one.duration_ns,
    Intrinsic.SPAN_NAME: lambda _, one: one.span.name,
    Intrinsic.SPAN_KIND: lambda _, one: KINDS[one.span.kind],
    Intrinsic.SPAN_STATUS: lambda _, one: STATUSES[one.span.status.code],
    Intrinsic.SPAN_STATUS_MESSAGE: lambda _, one: one.span.status.message,
    Intrinsic.SPAN_ID: lambda _, one: one.id,
    Intrinsic.SPAN_PARENT_ID: lambda _, one: one.span.parent_span_id.hex(),
    Intrinsic.SPAN_CHILD_COUNT: lambda trace, one: len(trace.children.get(one.span.span_id, ())),
    Intrinsic.TRACE_ID: lambda trace, _: trace.trace_id.hex(),
    Intrinsic.TRACE_DURATION: lambda trace, _: trace.duration_ns,
    Intrinsic.TRACE_ROOT_NAME: lambda trace, _: trace.root.span.name,
    Intrinsic.TRACE_ROOT_SERVICE: lambda trace, _: str(plain(trace.root.resource["service.name"])),
    Intrinsic.INSTRUMENTATION_NAME: lambda _, one: one.scope_name,
    Intrinsic.INSTRUMENTATION_VERSION: lambda _, one: one.scope_version,
}
"""Those that can be told; enumerations by their names, durations in nanoseconds."""


def selects(expression: FieldExpression, trace: SentTrace, one: SentSpan) -> bool:
    """Whether a span satisfies a filter; Undecided when that cannot be told."""
    return _value(expression, trace, one) is True


def number(expression: FieldExpression, trace: SentTrace, one: SentSpan) -> float | int | None:
    """The number that an expression is for a span; None when it is none."""
    value = _value(expression, trace, one)
    return None if value is None or isinstance(value, str | bool) else value


def _value(expression: FieldExpression, trace: SentTrace, one: SentSpan) -> Value | None:
    match expression:
        case Static():
            return expression.value
        case Attribute():
            return _attribute(expression, one)
        case IntrinsicField():
            told = INTRINSICS.get(expression.intrinsic)
            if told is None:
                raise Undecided(f"{expression.spelling} is not evaluated here")
            return told(trace, one)
        case Unary(Operator.NOT):
            value = _value(expression.operand, trace, one)
            if not isinstance(value, bool):
                raise Undecided("the negation of what is no truth value")
            return not value
        case Unary():
            value = _value(expression.operand, trace, one)
            if value is None or isinstance(value, str | bool):
                raise Undecided("the negative of what is no number")
            return -value
        case Binary():
            return _binary(expression, trace, one)


def _binary(expression: Binary, trace: SentTrace, one: SentSpan) -> Value | None:
    kind = expression.operator
    if kind in {Operator.AND, Operator.OR}:
        return _connected(expression, trace, one)
    nil = [isinstance(side, Static) and side.type is StaticType.NIL for side in (expression.left, expression.right)]
    if any(nil):
        return _exists(expression, nil, trace, one)
    left, right = (_value(side, trace, one) for side in (expression.left, expression.right))
    if kind in ORDER:
        return _compared(kind, left, right)
    if kind in {Operator.REGEX, Operator.NOT_REGEX}:
        if not isinstance(left, str):
            return False
        return _matches(str(right), left) is (kind is Operator.REGEX)
    raise Undecided(f"{kind} is not evaluated here")


def _connected(expression: Binary, trace: SentTrace, one: SentSpan) -> bool:
    """&& and ||; what cannot be told does not matter where the other side decides."""
    decisive = expression.operator is Operator.OR
    undecided: Undecided | None = None
    for side in (expression.left, expression.right):
        try:
            if (_value(side, trace, one) is True) is decisive:
                return decisive
        except Undecided as error:
            undecided = error
    if undecided is not None:
        raise undecided
    return not decisive


def _exists(expression: Binary, nil: list[bool], trace: SentTrace, one: SentSpan) -> bool:
    if all(nil):
        return False
    field = expression.left if nil[1] else expression.right
    if isinstance(field, Attribute) and field.scope in {Scope.EVENT, Scope.LINK}:
        raise Undecided("the absence of attributes of events and links is not evaluated here")
    there = _value(field, trace, one) is not None
    return there is (expression.operator is Operator.NOT_EQUAL)


def _compared(kind: Operator, left: Value | None, right: Value | None) -> bool:
    """What is not there, and what is of another type, compares with nothing."""
    if left is None or right is None:
        return False
    types = [bool if isinstance(value, bool) else str if isinstance(value, str) else float for value in (left, right)]
    if types[0] is not types[1]:
        return False
    if isinstance(left, str) and isinstance(right, str):
        return ORDER[kind](left.encode(), right.encode())
    return ORDER[kind](left, right)


@lru_cache(maxsize=65_536)
def _matches(pattern: str, text: str) -> bool:
    return bool(pc.match_substring_regex(pa.scalar(text), anchored(pattern)).as_py())


def _attribute(attribute: Attribute, one: SentSpan) -> Value | None:
    name = attribute.name
    match attribute.scope:
        case Scope.SPAN:
            places = [one.own]
        case Scope.RESOURCE:
            places = [one.resource]
        case Scope.INSTRUMENTATION:
            places = [one.scope]
        case Scope.NONE:
            return _anywhere(name, one)
        case _:
            raise Undecided(f"{attribute.scope} attributes are not evaluated here")
    return next((plain(place[name]) for place in places if name in place), None)


def _anywhere(name: str, one: SentSpan) -> Value | None:
    """On the span, else on its resource; an event's, link's or scope's comes after these."""
    for place in (one.own, one.resource):
        if name in place:
            return plain(place[name])
    elsewhere = (part.attributes for parts in (one.span.events, one.span.links) for part in parts)
    if name in one.scope or any(pair.key == name for attributes in elsewhere for pair in attributes):
        raise Undecided("attributes of events, links and scopes are not evaluated here")
    return None
