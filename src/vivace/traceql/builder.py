"""Reductions of the grammar to the syntax tree: Lark calls the method that a rule or a token is named for."""
# ruff: noqa: N802 - methods for tokens have the tokens' names

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial, reduce
from itertools import groupby
from typing import Final, TypeVar, cast

from lark import Token, Transformer, v_args

from vivace.errors import QueryError
from vivace.traceql import literals
from vivace.traceql.constants import fold, negated, number
from vivace.traceql.limits import LONGEST_CHAIN, balanced
from vivace.traceql.tree import (
    Aggregate,
    Attribute,
    Binary,
    Coalesce,
    Compare,
    FieldExpression,
    GroupBy,
    Hint,
    IntrinsicField,
    MetricsAggregate,
    MetricsExpression,
    MetricsOperation,
    MetricsPipeline,
    Operator,
    Pipeline,
    Query,
    ScalarExpression,
    ScalarFilter,
    ScalarOperation,
    SecondStage,
    Select,
    SeriesFilter,
    SpansetExpression,
    SpansetFilter,
    SpansetOperation,
    SpansetOperator,
    Stage,
    Static,
    StaticType,
    TopBottom,
    Unary,
)
from vivace.traceql.types import NUMERIC, decided

Reference = Attribute | IntrinsicField
Series = MetricsPipeline | MetricsOperation
Node = TypeVar("Node")
_FALSE: Final = Static(StaticType.BOOL, False)


@v_args(inline=True)
class TreeBuilder(Transformer[Token, Query]):
    """One method per rule and token; a rule whose name begins with `_` is dissolved into its parent's children."""

    def query(self, root: Pipeline | Series, hints: tuple[Hint, ...] | None) -> Query:
        return Query(root, hints or ())

    def hints(self, *hints: Hint) -> tuple[Hint, ...]:
        return hints

    def hint(self, name: Token, value: Static) -> Hint:
        return Hint(str(name), value)

    # Pipelines

    def pipeline(self, *stages: Stage) -> Pipeline:
        return Pipeline(stages)

    def group_by(self, expression: FieldExpression) -> GroupBy:
        return GroupBy(expression)

    def coalesce(self) -> Coalesce:
        return Coalesce()

    def select(self, *fields: Reference) -> Select:
        return Select(fields)

    # Spansets

    def nested_pipeline(self, pipeline: Pipeline) -> SpansetExpression:
        first = pipeline.stages[0]
        if len(pipeline.stages) == 1 and isinstance(first, SpansetFilter | SpansetOperation | Pipeline):
            return first
        return pipeline

    def spanset_filter(self, expression: FieldExpression | None) -> SpansetFilter:
        return SpansetFilter(literals.ENUMS["true"] if expression is None else expression)

    def spansets(self, first: SpansetExpression, *rest: object) -> SpansetExpression:
        def combine(operator: str, left: SpansetExpression, right: SpansetExpression) -> SpansetExpression:
            return SpansetOperation(SpansetOperator(operator), left, right)

        return _chain(first, rest, combine)

    def spanset_relation(self, left: SpansetExpression, operator: Token, right: SpansetExpression) -> SpansetOperation:
        return SpansetOperation(SpansetOperator(operator), left, right)

    # Fields

    def field(self, first: FieldExpression, *rest: object) -> FieldExpression:
        def combine(operator: str, left: FieldExpression, right: FieldExpression) -> FieldExpression:
            return Binary(Operator(operator), left, right)

        return _chain(first, rest, combine, _settled)

    def field_binary(self, left: FieldExpression, operator: Token, right: FieldExpression) -> Binary:
        return Binary(Operator(operator), left, right)

    def field_not(self, operand: FieldExpression) -> Unary:
        return Unary(Operator.NOT, operand)

    def field_negation(self, operand: FieldExpression) -> FieldExpression:
        if isinstance(operand, Static) and operand.type in NUMERIC:
            return negated(operand)
        return Unary(Operator.NEGATE, operand)

    # Constants and scalars

    def constant_negation(self, operand: Static) -> Static:
        return negated(operand)

    def constant_binary(self, left: Static, operator: Token, right: Static) -> Static:
        return _placed(operator, lambda text: fold(Operator(text), left, right))

    def scalar_binary(self, left: ScalarExpression, operator: Token, right: ScalarExpression) -> ScalarOperation:
        return ScalarOperation(Operator(operator), left, right)

    def scalar_filter(self, left: ScalarExpression, operator: Token, right: ScalarExpression) -> ScalarFilter:
        return ScalarFilter(Operator(operator), left, right)

    def aggregate(self, function: Token, expression: FieldExpression | None = None) -> Aggregate:
        return Aggregate(str(function), expression)

    # Metrics

    def piped(self, *stages: Stage) -> Pipeline:
        return Pipeline(stages)

    def pipeline_metrics(
        self, pipeline: Pipeline, aggregate: MetricsAggregate | Compare, second_stages: tuple[SecondStage, ...]
    ) -> MetricsPipeline:
        return MetricsPipeline(pipeline, aggregate, second_stages)

    def filtered_series(self, series: Series, second_stages: tuple[SecondStage, ...]) -> Series:
        return replace(series, second_stages=series.second_stages + second_stages)

    def series_binary(self, left: MetricsExpression, operator: Token, right: MetricsExpression) -> MetricsOperation:
        return MetricsOperation(Operator(operator), left, right)

    def counting(self, function: Token, by: tuple[Reference, ...] | None) -> MetricsAggregate:
        return MetricsAggregate(str(function), by=by or ())

    def measuring(self, function: Token, field: Reference, by: tuple[Reference, ...] | None) -> MetricsAggregate:
        return MetricsAggregate(str(function), field, by or ())

    def quantiles(
        self, function: Token, field: Reference, quantiles: tuple[float, ...], by: tuple[Reference, ...] | None
    ) -> MetricsAggregate:
        return MetricsAggregate(str(function), field, by or (), quantiles)

    def quantile_list(self, *values: Static) -> tuple[float, ...]:
        return tuple(float(number(value)) for value in values)

    def grouping(self, *references: Reference) -> tuple[Reference, ...]:
        return references

    def compare(self, selection: SpansetFilter, *limits: Static | None) -> Compare:
        return Compare(selection, *(int(number(limit)) for limit in limits if limit))

    def top_bottom(self, function: Token, limit: Static) -> TopBottom:
        return TopBottom(str(function), int(number(limit)))

    def second_stages(self, *stages: SecondStage) -> tuple[SecondStage, ...]:
        return stages

    def series_filter(self, operator: Token, value: Static) -> SeriesFilter:
        return SeriesFilter(Operator(operator), value)

    # Tokens

    def INTEGER(self, token: Token) -> Static:
        return Static(StaticType.INT, _placed(token, literals.integer))

    def FLOAT(self, token: Token) -> Static:
        return Static(StaticType.FLOAT, _placed(token, literals.floating))

    def DURATION(self, token: Token) -> Static:
        return Static(StaticType.DURATION, _placed(token, literals.duration))

    def STRING(self, token: Token) -> Static:
        return Static(StaticType.STRING, _placed(token, literals.string))

    def ENUM(self, token: Token) -> Static:
        return literals.ENUMS[token]

    def NIL(self, _token: Token) -> Static:
        return Static(StaticType.NIL, None)

    def ATTRIBUTE(self, token: Token) -> Attribute:
        return _placed(token, literals.attribute)

    def INTRINSIC(self, token: Token) -> IntrinsicField:
        return _placed(token, literals.intrinsic)


def syntax_error(message: str, line: int, column: int) -> QueryError:
    """The error with its place, in words and as numbers."""
    return QueryError(f"parse error at line {line}, col {column}: {message}", line, column)


def _placed(token: Token, evaluate: Callable[[str], Node]) -> Node:
    """What the token's text stands for; its ValueError becomes an error at the token's place."""
    try:
        return evaluate(str(token))
    except ValueError as error:
        raise syntax_error(str(error), token.line or 0, token.column or 0) from None


def _chain(
    first: Node,
    rest: tuple[object, ...],
    combine: Callable[[str, Node, Node], Node],
    settled: Callable[[str, Sequence[Node]], Sequence[Node]] = lambda _, operands: operands,
) -> Node:
    """`first op node op node …` from the left; `rest` is operators and nodes by turns.

    Operands that are `settled` may be joined in any order.
    """
    node = first
    for operator, run in groupby(zip(rest[::2], rest[1::2], strict=True), key=lambda pair: str(pair[0])):
        operands = [node, *(cast("Node", operand) for _, operand in run)]
        join = partial(combine, operator)
        long = len(operands) > LONGEST_CHAIN
        node = balanced(settled(operator, operands), join) if long else reduce(join, operands)
    return node


def _settled(operator: str, operands: Sequence[FieldExpression]) -> Sequence[FieldExpression]:
    """What is nil on the left of `||` makes it false; of a chain only the first operand stands there by itself."""
    if operator != Operator.OR:
        return operands
    first = Binary(Operator.OR, operands[0], operands[1])
    return [first, *(one if decided(one) else Binary(Operator.OR, _FALSE, one) for one in operands[2:])]
