"""Field expressions evaluated over the rows of a frame, with NumPy, never row by row.

Boolean expressions give masks. A conjunction narrows the rows as it goes, so that later terms look at few. What asks
for events or links holds for a span when it holds for any of them; the terms of a conjunction must hold for the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial, reduce
from typing import Final

import numpy as np

from vivace.backend.query.arithmetic import ARITHMETIC, calculate, negate
from vivace.backend.query.compare import COMPARISONS, Check, among, compare, still
from vivace.backend.query.conditions import Condition, Conditions, comparison, fields
from vivace.backend.query.fields import TABLES, Frame, held, read, tables
from vivace.backend.query.membership import Membership, Term, bundled, conjuncts, disjuncts, satisfied
from vivace.backend.query.placement import (
    CHILDREN,
    child_of,
    children_of,
    children_read,
    cost,
    level,
    may_fail,
    small_table,
)
from vivace.backend.query.value import Column, Lists, Mask, Part, Rows, Type, Value, known
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

_FAR: Final = 1 << 62
_FEW: Final = 0.25
"""The share of rows below which it pays to look at them alone."""


class Evaluation:
    """Evaluates the expressions of one query; its conditions decide what arrays stand for."""

    def __init__(self, conditions: Conditions, check: Check = still) -> None:
        """`check` is called now and then, and raises when nobody waits for the answer any more."""
        self.conditions = conditions
        self.check = check
        self._arrays: dict[tuple[Frame, Attribute], tuple[Part, ...]] = {}

    def matching(self, expression: FieldExpression, frame: Frame) -> Mask:
        """The spans of a frame that a filter with this expression selects."""
        mask = self.truth(expression, frame)
        if self.conditions.every or not _negates(expression):
            return mask
        return mask & self._looked_at(frame)

    def truth(self, expression: Term, frame: Frame) -> Mask:
        """Where an expression is true."""
        if isinstance(expression, Membership):
            return self._member(expression, frame)
        if isinstance(expression, Binary):
            if expression.operator is Operator.AND:
                return self._all(bundled(conjuncts(expression), Operator.NOT_EQUAL), frame)
            if expression.operator is Operator.OR:
                return self._either(expression, frame)
            if expression.operator in COMPARISONS:
                return self._comparison(expression, frame)
        if isinstance(expression, Static):
            return np.full(len(frame), expression.value is True)
        return _true(self.value(expression, frame), len(frame))

    def value(self, expression: FieldExpression, frame: Frame) -> Value:
        """What an expression stands for in every row."""
        if isinstance(expression, Static):
            return expression
        if isinstance(expression, (Attribute, IntrinsicField)):
            return self._read(expression, frame)
        if isinstance(expression, Unary):
            operand = self.value(expression.operand, frame)
            return negate(operand) if expression.operator is Operator.NEGATE else _inverted(operand)
        if isinstance(expression, Binary) and expression.operator in ARITHMETIC:
            left, right = self.value(expression.left, frame), self.value(expression.right, frame)
            return calculate(expression.operator, left, right, len(frame))
        return (Column(Type.BOOL, self.truth(expression, frame)),)

    def _all(self, terms: Sequence[Term], frame: Frame) -> Mask:
        of_children = [children_read(term, frame) if frame.table == "spans" else frozenset() for term in terms]
        mask = np.ones(len(frame), np.bool_)
        plain = [term for term, children in zip(terms, of_children, strict=True) if len(children) != 1]
        for term in sorted(plain, key=lambda term: cost(term, frame)):
            mask = self._narrowed(term, frame, mask)
        for child in CHILDREN:
            group = [term for term, children in zip(terms, of_children, strict=True) if children == {child}]
            if group:
                places = np.flatnonzero(mask)
                mask = np.zeros_like(mask)
                mask[places] = self._any(group, child, frame.within(_mask_of(places, len(frame))))
        return mask

    def _narrowed(self, term: Term, frame: Frame, mask: Mask) -> Mask:
        """The mask with one more term; where few rows are left only they are looked at."""
        left = np.count_nonzero(mask)
        if not left:
            return mask
        if left == len(mask) or (left > _FEW * len(mask) and not may_fail(term)):
            return mask & self.truth(term, frame)
        result = np.zeros_like(mask)
        result[np.flatnonzero(mask)[self.truth(term, frame.within(mask))]] = True
        return result

    def _any(self, terms: Sequence[Term], child: str, frame: Frame) -> Mask:
        """The spans of which any event or link satisfies all terms."""
        rows, place = children_of(frame, child)
        inner = Frame(frame.view, child, rows)
        found = np.zeros(len(frame), np.bool_)
        found[place[self._all(terms, inner)]] = True
        return found

    def _either(self, expression: Binary, frame: Frame) -> Mask:
        """Left, or right where left is false; a left side that is nil makes the whole false."""
        terms = bundled(disjuncts(expression), Operator.EQUAL)
        if terms != [expression]:
            mask = np.zeros(len(frame), np.bool_)
            for term in terms:
                mask |= self._narrowed(term, frame, ~mask)
            return mask
        left = self.value(expression.left, frame)
        mask = _true(left, len(frame))
        rest = _booleans(left, len(frame)) & ~mask
        return mask | self._narrowed(expression.right, frame, rest)

    def _comparison(self, expression: Binary, frame: Frame) -> Mask:
        return self._placed(expression, level(expression, frame), frame, partial(self._compared, expression))

    def _member(self, term: Membership, frame: Frame) -> Mask:
        def judge(inner: Frame) -> Mask:
            return among(term.operator, self._read(term.field, inner), term.literals, len(inner))

        return self._placed(term, small_table(term.field, frame), frame, judge)

    def _placed(self, term: Term, above: str | None, frame: Frame, judge: Callable[[Frame], Mask]) -> Mask:
        """Judged for a span's events or links, or in the table above that holds what is read, where there is one."""
        self.check()
        if frame.table != "spans":
            return judge(frame)
        child = child_of(term, frame)
        if child is not None:
            return self._any([term], child, frame)
        if above is None:
            return judge(frame)
        mask = judge(Frame(frame.view, above))
        if not mask.any():
            return np.zeros(len(frame), np.bool_)
        place = frame.of(above)
        return mask if place is None else mask[place]

    def _compared(self, expression: Binary, frame: Frame) -> Mask:
        for side, other in ((expression.left, expression.right), (expression.right, expression.left)):
            if isinstance(other, Static) and other.type is StaticType.NIL:
                if expression.operator is Operator.EQUAL:
                    return self._absent(side, frame)
                value = self.value(side, frame)
                return np.zeros(len(frame), np.bool_) if isinstance(value, Static) else known(value, len(frame))
        told = self._rooted(expression, frame)
        if told is not None:
            return told
        left, right = self.value(expression.left, frame), self.value(expression.right, frame)
        return compare(expression.operator, left, right, len(frame), self.check)

    def _rooted(self, expression: Binary, frame: Frame) -> Mask | None:
        """A comparison with nestedSetParent that only tells roots from others needs no numbers."""
        condition = comparison(expression)
        if condition is None or not isinstance(condition.field, IntrinsicField) or frame.table != "spans":
            return None
        if condition.field.intrinsic is not Intrinsic.NESTED_SET_PARENT or condition.operand is None:
            return None
        sample = (Column(Type.INT, np.array([-1, 0, _FAR])),)
        assert condition.operator is not None  # noqa: S101 - it goes with an operand
        root, nearest, farthest = compare(condition.operator, sample, condition.operand, 3)
        if nearest != farthest or not self._even(condition.operator, condition.operand):
            return None
        is_root = frame.view.words("spans", "parent_id") == 0
        is_root = is_root if frame.rows is None else is_root[frame.rows]
        told: Mask = np.where(is_root, root, nearest)
        return told

    @staticmethod
    def _even(operator: Operator, operand: Static) -> bool:
        """Whether the comparison is the same for all numbers from 0 on, given that it is for the first and last."""
        if operator in (Operator.EQUAL, Operator.NOT_EQUAL):
            return isinstance(operand.value, (int, float)) and operand.value < 0
        return True

    def _absent(self, side: FieldExpression, frame: Frame) -> Mask:
        """Where an attribute is missing. An unscoped one that is only asked for its absence: on the span or above."""
        if not isinstance(side, Attribute):
            return np.zeros(len(frame), np.bool_)
        if side.scope is not Scope.NONE:
            return ~_held(frame, TABLES[side.scope], side.name)
        if frame.table != "spans":
            return ~_held(frame, "resources", side.name)
        own = ~_held(frame, "spans", side.name)
        if all(condition.absence for condition in self.conditions.on(Attribute(Scope.SPAN, side.name))):
            return own | ~_held(frame, "resources", side.name)
        return own

    def _read(self, field: Attribute | IntrinsicField, frame: Frame) -> tuple[Part, ...]:
        child = child_of(field, frame)
        if child is not None and child != frame.table:
            return self._first_child(field, child, Frame(frame.view, "spans", frame.of("spans")))
        parts = read(field, frame)
        if isinstance(field, IntrinsicField) or not any(isinstance(part, Lists) for part in parts):
            return parts
        return tuple(part.take(frame.rows) for part in self._with_arrays(field, replace(frame, rows=None)))

    def _with_arrays(self, field: Attribute, frame: Frame) -> tuple[Part, ...]:
        """The values of a field in a whole table; a chain asks for the same ones once per term."""
        if any(known.view is not frame.view for known, _ in self._arrays):
            self._arrays.clear()
        if (frame, field) not in self._arrays:
            scope = Scope.SPAN if field.scope is Scope.NONE else field.scope
            asked = self.conditions.on(Attribute(scope, field.name))
            self._arrays[frame, field] = tuple(
                let_through(part, asked) if isinstance(part, Lists) else part for part in read(field, frame)
            )
        return self._arrays[frame, field]

    def _first_child(self, field: Attribute | IntrinsicField, child: str, frame: Frame) -> tuple[Part, ...]:
        """The value of the first event or link that has one, for uses other than comparisons."""
        rows, place = children_of(frame, child)
        inner = Frame(frame.view, child, rows)
        parts = self._read(field, inner)
        having = np.flatnonzero(known(parts, len(inner)))
        owners, first = np.unique(place[having], return_index=True)
        source = np.zeros(len(frame), np.int64)
        source[owners] = having[first]
        there = _mask_of(owners, len(frame))
        if not len(having):
            return ()
        texts = (part if isinstance(part, (Column, Lists)) else part.column() for part in parts)
        return tuple(part.take(source).only(there) for part in texts)

    def _looked_at(self, frame: Frame) -> Mask:
        """The spans for which any of the query's conditions holds, or all when they are joint."""
        by_field: dict[Attribute | IntrinsicField, list[Condition]] = {}
        for condition in self.conditions.asked:
            by_field.setdefault(condition.field, []).append(condition)
        holds = (self._hold(field, asked, frame) for field, asked in by_field.items())
        if self.conditions.joint:
            return reduce(np.logical_and, holds)
        if any("traces" in tables(field, frame.view) for field in by_field):
            return np.ones(len(frame), np.bool_)
        return reduce(np.logical_or, holds)

    def together(self, frame: Frame) -> Mask:
        """The events or links of a frame for which all conditions about events or links hold."""
        mask = np.ones(len(frame), np.bool_)
        for condition in self.conditions.asked:
            if tables(condition.field, frame.view) == {frame.table}:
                mask &= self._compared(_asked(condition.field, condition), frame)
        return mask

    def _hold(self, field: Attribute | IntrinsicField, asked: Iterable[Condition], frame: Frame) -> Mask:
        """Where any of the conditions on a field holds."""
        levels = [field]
        if isinstance(field, Attribute) and field.scope is Scope.NONE:
            levels = [Attribute(scope, field.name) for scope in (Scope.SPAN, Scope.RESOURCE)]
        terms = bundled((_asked(level, condition) for level in levels for condition in asked), Operator.EQUAL)
        return reduce(np.logical_or, (self.truth(term, frame) for term in terms))


def let_through(arrays: Lists, asked: Sequence[Condition]) -> Lists:
    """The elements of arrays that satisfy any of the conditions on their key; an array without any is absent."""
    elements = arrays.elements
    kept = np.flatnonzero(satisfied(elements, asked))
    rows = arrays.row[kept]
    return Lists(elements.take(kept), rows, _mask_of(rows, len(arrays)))


def _asked(field: Attribute | IntrinsicField, condition: Condition) -> Binary:
    if condition.operator is None or condition.operand is None:
        return Binary(Operator.NOT_EQUAL, field, Static(StaticType.NIL, None))
    return Binary(condition.operator, field, condition.operand)


def _held(frame: Frame, table: str, key: str) -> Mask:
    mask = held(frame.view, table, key).held
    rows = frame.of(table)
    return mask if rows is None else mask[rows]


def _negates(expression: FieldExpression) -> bool:
    """Whether an expression may be true of a span for which none of its conditions holds."""
    if isinstance(expression, Unary):
        return expression.operator is Operator.NOT or _negates(expression.operand)
    if isinstance(expression, Binary):
        return not any(fields(expression)) or _negates(expression.left) or _negates(expression.right)
    return isinstance(expression, Static) and expression.value is True


def _true(value: Value, rows: int) -> Mask:
    if isinstance(value, Static):
        return np.full(rows, value.value is True)
    mask = np.zeros(rows, np.bool_)
    for part in value:
        if isinstance(part, Column) and part.type is Type.BOOL:
            mask |= part.data.astype(np.bool_, copy=False) & part.known
    return mask


def _booleans(value: Value, rows: int) -> Mask:
    if isinstance(value, Static):
        return np.full(rows, isinstance(value.value, bool))
    parts = [part for part in value if isinstance(part, Column) and part.type is Type.BOOL]
    return known(parts, rows)


def _inverted(value: Value) -> Value:
    if isinstance(value, Static):
        return Static(StaticType.BOOL, not value.value) if isinstance(value.value, bool) else value
    return tuple(
        Column(Type.BOOL, ~part.data.astype(np.bool_, copy=False), part.present)
        for part in value
        if isinstance(part, Column) and part.type is Type.BOOL
    )


def _mask_of(rows: Rows, length: int) -> Mask:
    mask = np.zeros(length, np.bool_)
    mask[rows] = True
    return mask
