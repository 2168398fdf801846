"""What a query must answer, worked out span by span in plain Python: slow, simple, and independent of the engine."""

from __future__ import annotations

import math
import operator as python
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span
from tests.backend.query.oracle_nodes import (
    NIL,
    Node,
    Valueless,
    Word,
    attributes_of,
    intrinsic,
    nodes,
    related,
    spelt,
)

from vivace.backend.query.conditions import Condition, Conditions, conditions
from vivace.errors import QueryError
from vivace.traceql.text import text
from vivace.traceql.tree import (
    Aggregate,
    Attribute,
    Binary,
    Coalesce,
    FieldExpression,
    GroupBy,
    IntrinsicField,
    Operator,
    Pipeline,
    ScalarFilter,
    Scope,
    SpansetFilter,
    SpansetOperation,
    SpansetOperator,
    Static,
    StaticType,
    Unary,
)

COMPARE: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQUAL: python.eq,
    Operator.NOT_EQUAL: python.ne,
    Operator.LESS: python.lt,
    Operator.LESS_EQUAL: python.le,
    Operator.GREATER: python.gt,
    Operator.GREATER_EQUAL: python.ge,
    Operator.REGEX: lambda value, pattern: re.fullmatch(pattern, value, re.DOTALL) is not None,
    Operator.NOT_REGEX: lambda value, pattern: re.fullmatch(pattern, value, re.DOTALL) is None,
}
FLIP = {
    Operator.LESS: Operator.GREATER,
    Operator.GREATER: Operator.LESS,
    Operator.LESS_EQUAL: Operator.GREATER_EQUAL,
    Operator.GREATER_EQUAL: Operator.LESS_EQUAL,
}
ARITHMETIC: dict[Operator, Callable[[Any, Any], Any]] = {
    Operator.ADD: python.add,
    Operator.SUBTRACT: python.sub,
    Operator.MULTIPLY: python.mul,
    Operator.DIVIDE: lambda left, right: int(left / right) if _whole(left, right) else left / right,
    Operator.MODULO: lambda left, right: int(math.fmod(left, right)) if _whole(left, right) else math.fmod(left, right),
    Operator.POWER: lambda left, right: left**right if _whole(left, right) else _root(left, right),
}
UNIONS = {
    SpansetOperator.UNION_CHILD: SpansetOperator.CHILD,
    SpansetOperator.UNION_PARENT: SpansetOperator.PARENT,
    SpansetOperator.UNION_DESCENDANT: SpansetOperator.DESCENDANT,
    SpansetOperator.UNION_ANCESTOR: SpansetOperator.ANCESTOR,
    SpansetOperator.UNION_SIBLING: SpansetOperator.SIBLING,
}
NEGATIONS = {
    SpansetOperator.NOT_CHILD: SpansetOperator.CHILD,
    SpansetOperator.NOT_PARENT: SpansetOperator.PARENT,
    SpansetOperator.NOT_DESCENDANT: SpansetOperator.DESCENDANT,
    SpansetOperator.NOT_ANCESTOR: SpansetOperator.ANCESTOR,
    SpansetOperator.NOT_SIBLING: SpansetOperator.SIBLING,
}


def _whole(left: Any, right: Any) -> bool:
    return isinstance(left, int) and isinstance(right, int)


def _root(left: Any, right: Any) -> float:
    power = complex(left) ** right if left < 0 else float(left) ** right
    return math.nan if isinstance(power, complex) and right % 1 else float(power.real)


class Oracle:
    """Answers queries about a dataset."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.conditions: Conditions = conditions(pipeline)

    def answer(self, data: Sequence[ResourceSpans]) -> dict[str, Any]:
        """Trace ID -> spansets, each with its span IDs and what was computed of it."""
        found = {}
        for trace in nodes(data):
            sets = self.run(self.pipeline, [(trace, [])])
            if sets:
                found[trace[0].span.trace_id.hex()] = sorted(
                    (
                        sorted(node.span.span_id.hex() for node in spans),
                        sorted((name, round(float(number), 9)) for name, number in computed),
                    )
                    for spans, computed in sets
                )
        return found

    # Stages: lists of (spans, computed)

    def run(self, pipeline: Pipeline, sets: list[Any]) -> list[Any]:
        for stage in pipeline.stages:
            sets = self.stage(stage, sets)
        return [one for one in sets if one[0]]

    def stage(self, stage: Any, sets: list[Any]) -> list[Any]:
        if isinstance(stage, Coalesce):
            merged = [node for spans, _ in sets for node in spans]
            return [(merged, [])] if merged else []
        made: list[Any] = []
        for spans, computed in sets:
            made += self.one(stage, spans, computed)
        return [one for one in made if one[0]]

    def one(self, stage: Any, spans: list[Node], computed: list[tuple[str, Any]]) -> list[Any]:
        if isinstance(stage, SpansetFilter):
            return [([node for node in spans if self.selects(stage.expression, node)], computed)]
        if isinstance(stage, Pipeline):
            return self.run(stage, [(spans, computed)])
        if isinstance(stage, SpansetOperation):
            return [(self.operate(stage, spans, computed), computed)]
        if isinstance(stage, GroupBy):
            groups: dict[str, list[Node]] = {}
            for node in spans:
                groups.setdefault(repr(self.value(stage.expression, node)), []).append(node)
            return [(group, computed) for group in groups.values()]
        assert isinstance(stage, ScalarFilter)
        assert isinstance(stage.left, Aggregate)
        scalar = self.aggregate(stage.left, spans)
        kept = compare(stage.operator, scalar, literal(stage.right))
        return [(spans, [*computed, (text(stage.left), scalar)])] if kept else []

    def aggregate(self, stage: Aggregate, spans: list[Node]) -> Any:
        if stage.expression is None:
            return len(spans)
        found = [self.value(stage.expression, node) for node in spans]
        numbers = [one for one in found if isinstance(one, (int, float)) and not isinstance(one, bool)]
        if not numbers:
            return NIL
        functions: dict[str, Callable[[list[Any]], Any]] = {"min": min, "max": max, "sum": sum}
        if stage.function in functions:
            return functions[stage.function](numbers)
        mean = sum(numbers) / len(numbers)
        duration = isinstance(stage.expression, IntrinsicField)
        return int(mean) if duration else mean

    def operate(self, stage: SpansetOperation, spans: list[Node], computed: list[tuple[str, Any]]) -> list[Node]:
        left, right = (self.stage(side, [(spans, computed)]) for side in (stage.left, stage.right))
        lefts, rights = ([node for one, _ in side for node in one] for side in (left, right))
        operator = stage.operator
        if operator in (SpansetOperator.AND, SpansetOperator.OR):
            there = (bool(lefts) and bool(rights)) if operator is SpansetOperator.AND else True
            return [node for node in spans if node in lefts or node in rights] if there else []
        if len(left) > 1 or len(right) > 1:
            raise QueryError("several spansets")
        relation = NEGATIONS.get(operator, UNIONS.get(operator, operator))
        hits = [node for node in rights if any(related(relation, other, node) for other in lefts)]
        if operator in NEGATIONS:
            return [node for node in rights if node not in hits]
        if operator in UNIONS:
            back = [other for other in lefts if any(related(relation, other, node) for node in rights)]
            return [node for node in spans if node in hits or node in back]
        return hits

    # Field expressions

    def selects(self, expression: FieldExpression, node: Node) -> bool:
        if self.value(expression, node) is not True:
            return False
        return self.conditions.every or not negates(expression) or self.looked_at(node)

    def looked_at(self, node: Node) -> bool:
        by_field: dict[Any, bool] = {}
        for condition in self.conditions.asked:
            by_field[condition.field] = by_field.get(condition.field, False) or self.holds(condition, node)
        if self.conditions.joint:
            return all(by_field.values())
        if any(isinstance(one, IntrinsicField) and one.intrinsic.value.startswith("trace:") for one in by_field):
            return True
        return any(by_field.values())

    def holds(self, condition: Condition, node: Node) -> bool:
        asked = condition.field
        levels = [asked]
        if isinstance(asked, Attribute) and asked.scope is Scope.NONE:
            levels = [Attribute(scope, asked.name) for scope in (Scope.SPAN, Scope.RESOURCE)]
        for level in levels:
            if condition.operator is None or condition.operand is None:
                comparison = Binary(Operator.NOT_EQUAL, level, Static(StaticType.NIL, None))
            else:
                comparison = Binary(condition.operator, level, condition.operand)
            if self.value(comparison, node) is True:
                return True
        return False

    def value(self, expression: FieldExpression, node: Node, child: Any = None) -> Any:
        match expression:
            case Static():
                found = literal(expression)
            case Attribute() | IntrinsicField():
                found = self.read(expression, node, child)
            case Unary(operator=Operator.NEGATE):
                inner = self.value(expression.operand, node, child)
                found = -inner if isinstance(inner, (int, float)) and not isinstance(inner, bool) else NIL
            case Unary():
                inner = self.value(expression.operand, node, child)
                found = (not inner) if isinstance(inner, bool) else NIL
            case Binary(operator=Operator.AND):
                found = self.all_of(list(conjuncts(expression)), node, child)
            case Binary(operator=Operator.OR):
                left = self.value(expression.left, node, child)
                right_decides = left is False and self.value(expression.right, node, child) is True
                found = left is True or right_decides
            case Binary() if expression.operator in ARITHMETIC:
                found = self.arithmetic(expression, node, child)
            case _:
                found = self.comparison(expression, node, child)
        return found

    def read(self, asked: Attribute | IntrinsicField, node: Node, child: Any) -> Any:
        scope = child_scope(asked)
        owners = children(node, scope) if scope and not isinstance(child, CHILDREN[scope]) else [child]
        values = [self.field(asked, node, one) for one in owners]
        return next((one for one in values if one is not NIL and not isinstance(one, Valueless)), NIL)

    def arithmetic(self, expression: Binary, node: Node, child: Any) -> Any:
        sides = [self.value(side, node, child) for side in (expression.left, expression.right)]
        if not all(isinstance(side, (int, float)) and not isinstance(side, bool) for side in sides):
            return NIL
        return ARITHMETIC[expression.operator](*sides)

    def all_of(self, terms: list[FieldExpression], node: Node, child: Any) -> bool:
        if child is not None:
            return all(self.value(term, node, child) is True for term in terms)
        for scope in ("event", "link"):
            group = [term for term in terms if scopes(term) & {"event", "link"} == {scope}]
            if group and not any(
                all(self.value(term, node, one) is True for term in group) for one in children(node, scope)
            ):
                return False
        plain = [term for term in terms if len(scopes(term) & {"event", "link"}) != 1]
        return all(self.value(term, node) is True for term in plain)

    def comparison(self, expression: Binary, node: Node, child: Any) -> bool:
        mentioned = scopes(expression) & {"event", "link"}
        if child is None and mentioned:
            scope = "event" if "event" in mentioned else "link"
            return any(self.comparison(expression, node, one) for one in children(node, scope))
        for side, other in ((expression.left, expression.right), (expression.right, expression.left)):
            if isinstance(other, Static) and other.type is StaticType.NIL:
                assert isinstance(side, (Attribute, IntrinsicField))
                if expression.operator is Operator.NOT_EQUAL:
                    return self.value(side, node, child) is not NIL
                return self.absent(side, node, child)
        left, right = (self.value(side, node, child) for side in (expression.left, expression.right))
        if expression.operator in (Operator.EQUAL, Operator.NOT_EQUAL):
            left, right = spelt(expression.right, left), spelt(expression.left, right)
        return compare(expression.operator, left, right)

    def absent(self, side: Attribute | IntrinsicField, node: Node, child: Any) -> bool:
        assert isinstance(side, Attribute)
        if side.scope is not Scope.NONE:
            return side.name not in self.attributes(side.scope, node, child)
        own, above = (side.name not in self.attributes(scope, node, child) for scope in (Scope.SPAN, Scope.RESOURCE))
        if all(condition.absence for condition in self.conditions.on(Attribute(Scope.SPAN, side.name))):
            return own or above
        return own

    def attributes(self, scope: Scope, node: Node, child: Any) -> dict[str, Any]:
        around = node.around
        return attributes_of(
            {
                Scope.SPAN: node.span.attributes,
                Scope.RESOURCE: around.resource.attributes,
                Scope.INSTRUMENTATION: around.scope_spans[0].scope.attributes,
                Scope.EVENT: getattr(child, "attributes", []),
                Scope.LINK: getattr(child, "attributes", []),
            }[scope]
        )

    def field(self, asked: Attribute | IntrinsicField, node: Node, child: Any) -> Any:
        if isinstance(asked, IntrinsicField):
            return intrinsic(asked.intrinsic, node, child)
        order = (Scope.SPAN, Scope.RESOURCE) if asked.scope is Scope.NONE else (asked.scope,)
        for scope in order:
            attributes = self.attributes(scope, node, child)
            if asked.name in attributes:
                return self.let_through(attributes[asked.name], scope, asked.name)
        return NIL

    def let_through(self, value: Any, scope: Scope, name: str) -> Any:
        if not isinstance(value, list):
            return value
        asked = self.conditions.on(Attribute(scope, name))
        kept = [one for one in value if any(passes(condition, one) for condition in asked)]
        return kept or NIL


def passes(condition: Condition, element: Any) -> bool:
    if condition.operator is None or condition.operand is None:
        return True
    return not condition.absence and compare(condition.operator, element, literal(condition.operand))


def literal(static: Any) -> Any:
    if static.type in (StaticType.STATUS, StaticType.KIND):
        return Word(static.type.value, static.value)
    return static.value


def kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    return value.type if isinstance(value, Word) else type(value).__name__


def compare(operator: Operator, left: Any, right: Any) -> bool:
    if isinstance(left, list) and isinstance(right, list):
        return False
    if isinstance(right, list):
        return compare(FLIP.get(operator, operator), right, left)
    if isinstance(left, list):
        results = [compare(operator, one, right) for one in left]
        return all(results) if operator in (Operator.NOT_EQUAL, Operator.NOT_REGEX) else any(results)
    if left is NIL or right is NIL or kind_of(left) != kind_of(right):
        return False
    if isinstance(left, (bool, Word)) and operator not in (Operator.EQUAL, Operator.NOT_EQUAL):
        return False
    return COMPARE[operator](left, right)


CHILDREN = {"event": Span.Event, "link": Span.Link}


def children(node: Node, scope: str | None) -> Sequence[Any]:
    return list(node.span.events if scope == "event" else node.span.links)


def child_scope(asked: Attribute | IntrinsicField) -> str | None:
    scope = asked.scope.value if isinstance(asked, Attribute) else asked.intrinsic.value.partition(":")[0]
    return scope if scope in ("event", "link") else None


def scopes(expression: FieldExpression) -> set[str]:
    if isinstance(expression, (Attribute, IntrinsicField)):
        return {child_scope(expression) or ""}
    if isinstance(expression, Unary):
        return scopes(expression.operand)
    if isinstance(expression, Binary):
        return scopes(expression.left) | scopes(expression.right)
    return set()


def conjuncts(expression: FieldExpression) -> Iterator[FieldExpression]:
    if isinstance(expression, Binary) and expression.operator is Operator.AND:
        yield from conjuncts(expression.left)
        yield from conjuncts(expression.right)
    else:
        yield expression


def negates(expression: FieldExpression) -> bool:
    if isinstance(expression, Unary):
        return True
    if isinstance(expression, Binary):
        return negates(expression.left) or negates(expression.right)
    return isinstance(expression, Static) and expression.value is True
