"""The older way to search, by tags and durations, said in TraceQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import reduce

from vivace.backend.query.parameters import SearchParameters
from vivace.traceql.identifier import parse_identifier
from vivace.traceql.limits import balanced
from vivace.traceql.tree import (
    Attribute,
    Binary,
    FieldExpression,
    Intrinsic,
    IntrinsicField,
    Operator,
    Pipeline,
    Scope,
    SpansetExpression,
    SpansetFilter,
    SpansetOperation,
    SpansetOperator,
    Static,
    StaticType,
)

_NAMES = {
    "name": "name",
    "root.name": "rootName",
    "root.service.name": "rootServiceName",
    "service.name": "resource.service.name",
    "status": "status",
    "status.code": "status",
}


def tag_pipeline(parameters: SearchParameters) -> Pipeline:
    """Traces of which some span has each tag, and that last as long as is asked."""
    asked: list[FieldExpression] = [_tag(key, value) for key, value in parameters.tags.items()]
    asked += _durations(parameters)
    every: SpansetExpression = SpansetFilter(Static(StaticType.BOOL, True))
    return Pipeline((balanced([every, *(SpansetFilter(one) for one in asked)], _both),))


def _both(left: SpansetExpression, right: SpansetExpression) -> SpansetExpression:
    return SpansetOperation(SpansetOperator.AND, left, right)


def _tag(key: str, value: str) -> FieldExpression:
    field = parse_identifier(_NAMES[key]) if key in _NAMES else Attribute(Scope.NONE, key)
    return reduce(lambda left, right: Binary(Operator.OR, left, right), _comparisons(field, value))


def _comparisons(field: Attribute | IntrinsicField, value: str) -> Iterator[FieldExpression]:
    """Text may contain the value, in any case; numbers and truth values must be it."""
    if isinstance(field, IntrinsicField) and field.intrinsic is Intrinsic.SPAN_STATUS:
        yield Binary(Operator.EQUAL, field, Static(StaticType.STATUS, value if value in ("ok", "error") else "unset"))
        return
    yield Binary(Operator.REGEX, field, Static(StaticType.STRING, f"(?i:.*{re.escape(value)}.*)"))
    if re.fullmatch(r"-?\d{1,18}", value):
        yield Binary(Operator.EQUAL, field, Static(StaticType.INT, int(value)))
    if value in ("true", "false"):
        yield Binary(Operator.EQUAL, field, Static(StaticType.BOOL, value == "true"))


def _durations(parameters: SearchParameters) -> Iterator[FieldExpression]:
    duration = IntrinsicField(Intrinsic.TRACE_DURATION, "traceDuration")
    for bound, operator in (
        (parameters.shortest_ns, Operator.GREATER_EQUAL),
        (parameters.longest_ns, Operator.LESS_EQUAL),
    ):
        if bound:
            yield Binary(operator, duration, Static(StaticType.DURATION, bound))
