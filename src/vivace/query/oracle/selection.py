"""Which spans of a sent trace a search selects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

from vivace.query.oracle.field import ORDER, number, selects
from vivace.query.oracle.trace import SentSpan, SentTrace, Undecided
from vivace.traceql.tree import (
    Aggregate,
    Pipeline,
    ScalarFilter,
    Select,
    SpansetExpression,
    SpansetFilter,
    SpansetOperation,
    SpansetOperator,
    Stage,
    Static,
)

Spans: TypeAlias = "frozenset[SentSpan]"
NOTHING: Final[Spans] = frozenset()
FUNCTIONS: Final[Mapping[str, Callable[[list[float | int]], float | int]]] = {"min": min, "max": max, "sum": sum}


def selection(pipeline: Pipeline, trace: SentTrace) -> Spans:
    """The spans in the answer; none when the trace does not match. Undecided when that cannot be told."""
    spans: Spans = frozenset(trace.spans)
    for stage in pipeline.stages:
        spans = _stage(stage, trace, spans)
        if not spans:
            return NOTHING
    return spans


def _stage(stage: Stage, trace: SentTrace, spans: Spans) -> Spans:
    match stage:
        case Select():
            return spans
        case ScalarFilter():
            return spans if _holds(stage, trace, spans) else NOTHING
        case SpansetFilter() | SpansetOperation() | Pipeline():
            return _spanset(stage, trace, spans)
        case _:
            raise Undecided("grouped spansets are not evaluated here")


def _spanset(expression: SpansetExpression, trace: SentTrace, spans: Spans) -> Spans:
    match expression:
        case SpansetFilter():
            return frozenset(one for one in spans if selects(expression.expression, trace, one))
        case SpansetOperation():
            left = _spanset(expression.left, trace, spans)
            right = _spanset(expression.right, trace, spans)
            return _together(expression.operator, trace, left, right)
        case Pipeline():
            for stage in expression.stages:
                spans = _stage(stage, trace, spans)
            return spans


def _together(operator: SpansetOperator, trace: SentTrace, left: Spans, right: Spans) -> Spans:
    if operator is SpansetOperator.AND:
        return left | right if left and right else NOTHING
    if operator is SpansetOperator.OR:
        return left | right
    return frozenset(one for one in right if _related(operator, trace, left, one))


def _related(operator: SpansetOperator, trace: SentTrace, left: Spans, one: SentSpan) -> bool:
    """Whether a span of the right side has one on the left that is what the operator says of it."""
    match operator:
        case SpansetOperator.CHILD:
            return trace.parent(one) in left
        case SpansetOperator.DESCENDANT:
            return not left.isdisjoint(trace.ancestors(one))
        case SpansetOperator.PARENT:
            return not left.isdisjoint(trace.children.get(one.span.span_id, ()))
        case SpansetOperator.ANCESTOR:
            return any(one in trace.ancestors(other) for other in left)
        case SpansetOperator.SIBLING:
            return _has_sibling(one, trace, left)
        case _:
            raise Undecided(f"{operator} is not evaluated here")


def _has_sibling(one: SentSpan, trace: SentTrace, left: Spans) -> bool:
    parent = trace.parent(one)
    if parent is None:
        return False
    return any(other is not one and other in left for other in trace.children[parent.span.span_id])


def _holds(stage: ScalarFilter, trace: SentTrace, spans: Iterable[SentSpan]) -> bool:
    if not (isinstance(stage.left, Aggregate) and isinstance(stage.right, Static)):
        raise Undecided("arithmetic of aggregates is not evaluated here")
    aggregate, limit = stage.left, stage.right.value
    if not isinstance(limit, int | float):
        raise Undecided("an aggregate is compared with what is no number")
    if aggregate.expression is None:
        return ORDER[stage.operator](len(list(spans)), limit)
    values = [value for one in spans if (value := number(aggregate.expression, trace, one)) is not None]
    if not values:
        raise Undecided("an aggregate of no values")
    if aggregate.function == "avg":
        raise Undecided("means are not evaluated here")  # how they are rounded is the target's own affair
    return ORDER[stage.operator](FUNCTIONS[aggregate.function](values), limit)
