"""The rules of the language that go beyond its grammar; each check raises QueryError with what is wrong."""

from __future__ import annotations

from typing import Final

from vivace.errors import QueryError
from vivace.traceql.constants import constant
from vivace.traceql.limits import MAX_NESTING
from vivace.traceql.regex import check_regex
from vivace.traceql.text import text
from vivace.traceql.tree import (
    Aggregate,
    Attribute,
    Binary,
    Coalesce,
    Compare,
    FieldExpression,
    GroupBy,
    Intrinsic,
    IntrinsicField,
    MetricsAggregate,
    MetricsExpression,
    MetricsOperation,
    MetricsPipeline,
    Operator,
    Pipeline,
    Query,
    ScalarFilter,
    Scope,
    SecondStage,
    Select,
    SpansetExpression,
    SpansetFilter,
    SpansetOperation,
    Stage,
    Static,
    StaticType,
    TopBottom,
    Unary,
)
from vivace.traceql.types import EQUALITY, NUMERIC, REGEX, comparable, references_span, static_type, takes

MAX_GROUPS: Final = 5
MAX_GROUPS_WITH_LABEL: Final = 4
MAX_COMPARED: Final = 1000
_LABELLED: Final = frozenset({"quantile_over_time", "histogram_over_time", "avg_over_time"})
_SERIES_OPERATORS: Final = frozenset({Operator.ADD, Operator.SUBTRACT, Operator.MULTIPLY, Operator.DIVIDE})
_DIVISIONS: Final = frozenset({Operator.DIVIDE, Operator.MODULO})
_SERVICE_NAME: Final = Attribute(Scope.RESOURCE, "service.name")


def validate(query: Query) -> None:
    """Raises QueryError for the first rule that the query breaks."""
    match query.root:
        case Pipeline():
            _pipeline(query.root, 1)
        case MetricsPipeline() | MetricsOperation():
            _metrics(query.root, 1)


def validate_field(field: Attribute | IntrinsicField) -> None:
    """An attribute or intrinsic that can be looked up."""
    if isinstance(field, Attribute) and field.scope is Scope.PARENT:
        raise QueryError(f"parent scope not yet supported: {text(field)}")
    if isinstance(field, IntrinsicField) and field.intrinsic is Intrinsic.PARENT:
        raise QueryError("intrinsic parent not yet supported")


def _pipeline(pipeline: Pipeline, depth: int) -> None:
    _limit(depth)
    for stage in pipeline.stages:
        _stage(stage, depth + 1)


def _stage(stage: Stage, depth: int) -> None:
    match stage:
        case GroupBy():
            _field(stage.expression, depth)
            if not references_span(stage.expression):
                raise QueryError(f"grouping field expressions must reference the span: {text(stage)}")
        case Select():
            for field in stage.fields:
                validate_field(field)
        case ScalarFilter():
            _scalar_filter(stage, depth)
        case Coalesce():
            pass
        case _:
            _spanset(stage, depth)


def _spanset(expression: SpansetExpression, depth: int) -> None:
    _limit(depth)
    match expression:
        case SpansetOperation():
            _spanset(expression.left, depth + 1)
            _spanset(expression.right, depth + 1)
        case Pipeline():
            _pipeline(expression, depth + 1)
        case SpansetFilter():
            _field(expression.expression, depth + 1)
            if static_type(expression.expression) not in {StaticType.BOOL, StaticType.ATTRIBUTE}:
                raise QueryError(f"span filter field expressions must resolve to a boolean: {text(expression)}")


def _scalar_filter(stage: ScalarFilter, depth: int) -> None:
    if not (isinstance(stage.left, Aggregate) and isinstance(stage.right, Static)):
        raise QueryError(f"only the comparison of one aggregate with a number is supported yet: {text(stage)}")
    aggregate = stage.left
    if aggregate.expression is None:
        return
    _field(aggregate.expression, depth + 1)
    if static_type(aggregate.expression) not in NUMERIC | {StaticType.ATTRIBUTE}:
        raise QueryError(f"aggregate field expressions must resolve to a number type: {text(aggregate)}")
    if not references_span(aggregate.expression):
        raise QueryError(f"aggregate field expressions must reference the span: {text(aggregate)}")


def _field(expression: FieldExpression, depth: int) -> None:
    _limit(depth)
    match expression:
        case Attribute() | IntrinsicField():
            validate_field(expression)
        case Unary():
            _field(expression.operand, depth + 1)
            if not takes(expression.operator, static_type(expression.operand)):
                raise QueryError(f"illegal operation for the given type: {text(expression)}")
        case Binary():
            _field(expression.left, depth + 1)
            _field(expression.right, depth + 1)
            _binary(expression)


def _binary(expression: Binary) -> None:
    left, right = static_type(expression.left), static_type(expression.right)
    if StaticType.NIL in {left, right}:
        return _existence(expression)
    if not comparable(left, right):
        raise QueryError(f"binary operations must operate on the same type: {text(expression)}")
    if not (takes(expression.operator, left) and takes(expression.operator, right)):
        raise QueryError(f"illegal operation for the given types: {text(expression)}")
    if expression.operator in REGEX:
        if not isinstance(expression.right, Static):
            raise QueryError(f"a regex must be a string literal: {text(expression)}")
        check_regex(str(expression.right.value))
    if expression.operator in _DIVISIONS:
        _divisor(expression)
    return None


def _divisor(expression: Binary) -> None:
    """What data holds may be zero; a constant is known not to be."""
    divisor = constant(expression.right)
    if divisor and divisor.value == 0:
        what = "modulo" if expression.operator is Operator.MODULO else "division"
        raise QueryError(f"{what} by zero: {text(expression)}")


def _existence(expression: Binary) -> None:
    """`x = nil` and `x != nil`, either way round."""
    if expression.operator not in EQUALITY:
        raise QueryError(f"illegal operation for the given types: {text(expression)}")
    if expression.operator is Operator.NOT_EQUAL:
        return
    for field in (expression.left, expression.right):
        if isinstance(field, IntrinsicField):
            raise QueryError(f"{text(field)}=nil is not valid because intrinsics cannot be nil")
        if field == _SERVICE_NAME:
            raise QueryError(f"{text(field)}=nil is not valid because {text(field)} cannot be nil")


def _metrics(expression: MetricsExpression, depth: int) -> None:
    _limit(depth)
    match expression:
        case MetricsPipeline():
            _pipeline(expression.pipeline, depth + 1)
            _aggregate(expression.aggregate, depth + 1)
            _second_stages(expression.second_stages)
        case MetricsOperation():
            if expression.operator not in _SERIES_OPERATORS:
                raise QueryError(f"operator {expression.operator} is not supported between metrics queries")
            for operand in (expression.left, expression.right):
                _series_operand(operand)
                _metrics(operand, depth + 1)
            _second_stages(expression.second_stages)
        case Static():
            pass


def _series_operand(operand: MetricsExpression) -> None:
    if isinstance(operand, Static) and operand.type is StaticType.DURATION:
        raise QueryError(f"durations are not supported in arithmetic of metrics queries: {text(operand)}")
    if isinstance(operand, MetricsPipeline) and isinstance(operand.aggregate, Compare):
        raise QueryError("compare() is not supported in arithmetic of metrics queries")


def _aggregate(aggregate: MetricsAggregate | Compare, depth: int) -> None:
    match aggregate:
        case Compare():
            _spanset(aggregate.selection, depth)
            if not 0 < aggregate.top_n <= MAX_COMPARED:
                raise QueryError(
                    f"compare() top number of values must be between 1 and {MAX_COMPARED}: {aggregate.top_n}"
                )
            if (aggregate.start_ns or aggregate.end_ns) and aggregate.start_ns >= aggregate.end_ns:
                raise QueryError("compare() selection window must begin before it ends")
        case MetricsAggregate():
            for field in (*aggregate.by, *([aggregate.field] if aggregate.field else [])):
                validate_field(field)
            if len(aggregate.by) > (MAX_GROUPS_WITH_LABEL if aggregate.function in _LABELLED else MAX_GROUPS):
                raise QueryError(f"metrics group by {len(aggregate.by)} values not yet supported")
            for quantile in aggregate.quantiles:
                if not 0 <= quantile <= 1:
                    raise QueryError(f"quantile must be between 0 and 1: {quantile}")


def _second_stages(stages: tuple[SecondStage, ...]) -> None:
    for stage in stages:
        if isinstance(stage, TopBottom) and stage.limit <= 0:
            raise QueryError("limit must be greater than 0")


def _limit(depth: int) -> None:
    if depth > MAX_NESTING:
        raise QueryError(f"the query is nested more than {MAX_NESTING} levels deep")
