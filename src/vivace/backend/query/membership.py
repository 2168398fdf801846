"""Chains of comparisons: those of one field with several literals are judged as one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from vivace.backend.query.compare import among, compare
from vivace.backend.query.conditions import Condition, comparison, fields
from vivace.backend.query.value import Column, Identifiers, Mask
from vivace.traceql.tree import Attribute, Binary, FieldExpression, IntrinsicField, Operator, Static, StaticType
from vivace.traceql.types import NUMERIC, decided

Field = Attribute | IntrinsicField


@dataclass(frozen=True, slots=True)
class Membership:
    """`field = a || field = b || …`, or `field != a && field != b && …`; all literals are of one type, or numbers."""

    operator: Operator
    field: Field
    literals: tuple[Static, ...]


Term = FieldExpression | Membership


def disjuncts(expression: FieldExpression) -> Iterator[FieldExpression]:
    """The terms of which any one makes the whole true; `a || b` stays together where a may be nil."""
    if isinstance(expression, Binary) and expression.operator is Operator.OR and decided(expression.left):
        yield from disjuncts(expression.left)
        yield from disjuncts(expression.right)
    else:
        yield expression


def conjuncts(expression: FieldExpression) -> Iterator[FieldExpression]:
    """The terms that must all be true for the whole to be."""
    if isinstance(expression, Binary) and expression.operator is Operator.AND:
        yield from conjuncts(expression.left)
        yield from conjuncts(expression.right)
    else:
        yield expression


def bundled(terms: Iterable[FieldExpression], operator: Operator) -> list[Term]:
    """The terms, comparisons of one field by the operator as one, each where the first of its terms was."""
    found: dict[object, list[FieldExpression]] = {}
    for number, term in enumerate(terms):
        found.setdefault(_bundle(term, operator) or number, []).append(term)
    return [same[0] if len(same) == 1 else _membership(same) for same in found.values()]


def read_by(term: Term) -> Iterable[Field]:
    """Every field that a term reads."""
    return (term.field,) if isinstance(term, Membership) else fields(term)


def satisfied(part: Column | Identifiers, asked: Iterable[Condition]) -> Mask:
    """Where a value is that satisfies any of the conditions."""
    mask, literals = np.zeros(len(part), np.bool_), defaultdict(list)
    for condition in asked:
        if condition.operator is None or condition.operand is None:
            return part.known
        if condition.operator is Operator.EQUAL and not condition.absence:
            literals[_class(condition.operand)].append(condition.operand)
        elif not condition.absence:
            mask |= compare(condition.operator, (part,), condition.operand, len(part))
    for same in literals.values():
        mask |= among(Operator.EQUAL, (part,), same, len(part))
    return mask & part.known


def _class(literal: Static) -> StaticType:
    return StaticType.INT if literal.type in NUMERIC else literal.type


def _bundle(term: FieldExpression, operator: Operator) -> tuple[Field, StaticType] | None:
    condition = comparison(term) if isinstance(term, Binary) else None
    if condition is None or condition.operator is not operator or condition.operand is None:
        return None
    return None if condition.absence else (condition.field, _class(condition.operand))


def _membership(terms: Iterable[FieldExpression]) -> Membership:
    asked = [condition for term in terms if isinstance(term, Binary) and (condition := comparison(term))]
    operator = asked[0].operator
    assert operator is not None  # noqa: S101 - only such terms are put together
    return Membership(operator, asked[0].field, tuple(one.operand for one in asked if one.operand is not None))
