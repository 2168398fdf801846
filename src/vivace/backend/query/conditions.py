"""What a query asks of each field, gathered from all its filters.

It decides which spans are looked at (those for which a condition holds), which elements of an array a field stands for
(those that some condition lets through), and which attributes an answer names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from vivace.backend.query.compare import COMPARISONS, FLIPPED
from vivace.traceql.tree import (
    Aggregate,
    Attribute,
    Binary,
    FieldExpression,
    GroupBy,
    Intrinsic,
    IntrinsicField,
    Operator,
    Pipeline,
    ScalarExpression,
    ScalarFilter,
    ScalarOperation,
    Scope,
    Select,
    SpansetFilter,
    SpansetOperation,
    Stage,
    Static,
    StaticType,
    Unary,
)


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of a field with a literal; without an operator any value will do."""

    field: Attribute | IntrinsicField
    operator: Operator | None = None
    operand: Static | None = None

    @property
    def absence(self) -> bool:
        """Whether it asks for the field to be missing."""
        return self.operand is not None and self.operand.type is StaticType.NIL


@dataclass(frozen=True)
class Conditions:
    """All of a query's. `every` span is looked at when a filter asks for nothing; `joint` when all must hold."""

    asked: tuple[Condition, ...] = ()
    selected: tuple[Attribute | IntrinsicField, ...] = ()
    every: bool = False
    joint: bool = True

    def on(self, field: Attribute | IntrinsicField) -> tuple[Condition, ...]:
        """Those about an intrinsic, or an attribute in one scope; unscoped ones look at spans and resources."""
        return tuple(condition for name in _names(field) for condition in self._asked.get(name, ()))

    def selects(self, field: Attribute | IntrinsicField) -> bool:
        """Whether the field is among those selected."""
        return not self._selected.isdisjoint(_names(field))

    @cached_property
    def _asked(self) -> Mapping[Attribute | Intrinsic, Sequence[Condition]]:
        found: dict[Attribute | Intrinsic, list[Condition]] = defaultdict(list)
        for condition in self.asked:
            found[_names(condition.field)[0]].append(condition)
        return dict(found)

    @cached_property
    def _selected(self) -> frozenset[Attribute | Intrinsic]:
        return frozenset(_names(field)[0] for field in self.selected)


def _names(field: Attribute | IntrinsicField) -> tuple[Attribute | Intrinsic, ...]:
    """What a field is, however it is spelt; and what else asks for it."""
    if isinstance(field, IntrinsicField):
        return (field.intrinsic,)
    if field.scope in (Scope.SPAN, Scope.RESOURCE):
        return field, Attribute(Scope.NONE, field.name)
    return (field,)


@dataclass(slots=True)
class _Gathering:
    asked: list[Condition] = field(default_factory=list)
    selected: list[Attribute | IntrinsicField] = field(default_factory=list)
    every: bool = False
    joint: bool = True


def conditions(pipeline: Pipeline, *more: FieldExpression) -> Conditions:
    """The conditions of a pipeline, and of further expressions that only need the values."""
    found = _Gathering()
    _stage(pipeline, found)
    for expression in more:
        _expression(expression, found)
        found.joint = False
    unscoped = any(isinstance(one.field, Attribute) and one.field.scope is Scope.NONE for one in found.asked)
    asked = tuple(dict.fromkeys(found.asked))
    return Conditions(asked, tuple(found.selected), found.every or not asked, found.joint and not unscoped)


def fields(expression: FieldExpression) -> Iterator[Attribute | IntrinsicField]:
    """Every field that an expression reads."""
    if isinstance(expression, (Attribute, IntrinsicField)):
        yield expression
    elif isinstance(expression, Unary):
        yield from fields(expression.operand)
    elif isinstance(expression, Binary):
        yield from fields(expression.left)
        yield from fields(expression.right)


def _stage(stage: Stage, found: _Gathering) -> None:
    if isinstance(stage, Pipeline):
        for inner in stage.stages:
            _stage(inner, found)
    elif isinstance(stage, SpansetFilter):
        found.every = found.every or not any(fields(stage.expression))
        _expression(stage.expression, found)
    elif isinstance(stage, SpansetOperation):
        found.joint = False
        _stage(stage.left, found)
        _stage(stage.right, found)
    elif isinstance(stage, Select):
        found.selected.extend(stage.fields)
    else:
        found.joint = False
        for expression in _uses(stage):
            _expression(expression, found)


def _uses(stage: Stage) -> Iterator[FieldExpression]:
    if isinstance(stage, GroupBy):
        yield stage.expression
    elif isinstance(stage, ScalarFilter):
        yield from _aggregated(stage.left)
        yield from _aggregated(stage.right)


def _aggregated(scalar: ScalarExpression) -> Iterator[FieldExpression]:
    if isinstance(scalar, Aggregate) and scalar.expression is not None:
        yield scalar.expression
    elif isinstance(scalar, ScalarOperation):
        yield from _aggregated(scalar.left)
        yield from _aggregated(scalar.right)


def _expression(expression: FieldExpression, found: _Gathering) -> None:
    if isinstance(expression, (Attribute, IntrinsicField)):
        found.asked.append(Condition(expression))
    elif isinstance(expression, Unary):
        _expression(expression.operand, found)
    elif isinstance(expression, Binary):
        if expression.operator is Operator.OR:
            found.joint = False
        condition = comparison(expression)
        if condition is not None:
            found.asked.append(condition)
        else:
            _expression(expression.left, found)
            _expression(expression.right, found)


def comparison(expression: Binary) -> Condition | None:
    """A comparison between a field and a literal as a condition; None for any other expression."""
    if expression.operator not in COMPARISONS:
        return None
    for side, other, flipped in (
        (expression.left, expression.right, False),
        (expression.right, expression.left, True),
    ):
        if isinstance(side, (Attribute, IntrinsicField)) and isinstance(other, Static):
            if other.type is StaticType.NIL and expression.operator is Operator.NOT_EQUAL:
                return Condition(side)
            operator = FLIPPED.get(expression.operator, expression.operator) if flipped else expression.operator
            return Condition(side, operator, other)
    return None
