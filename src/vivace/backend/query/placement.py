"""Where the terms of an expression are judged, and in which order: on small tables first, on what is dear late."""

from __future__ import annotations

from typing import Final

import numpy as np

from vivace.backend.query.arithmetic import divides
from vivace.backend.query.conditions import comparison
from vivace.backend.query.fields import Frame, tables
from vivace.backend.query.membership import Membership, Term, read_by
from vivace.backend.query.value import Rows
from vivace.traceql.tree import Attribute, Binary, Intrinsic, IntrinsicField, Scope

CHILDREN: Final = ("events", "links")
_ABOVE: Final = ("resources", "scopes", "traces")
_NUMBERED: Final = frozenset(
    {
        Intrinsic.NESTED_SET_LEFT,
        Intrinsic.NESTED_SET_RIGHT,
        Intrinsic.NESTED_SET_PARENT,
        Intrinsic.SPAN_CHILD_COUNT,
    }
)


def children_of(frame: Frame, child: str) -> tuple[Rows, Rows]:
    """The event or link rows of a frame's spans, and the place in the frame of the span each belongs to."""
    owner = frame.view.index(child, "span")
    if frame.rows is None:
        return np.arange(len(owner)), owner
    start, stop = (np.searchsorted(owner, frame.rows, side=side) for side in ("left", "right"))
    counts = stop - start
    place = np.repeat(np.arange(len(frame)), counts)
    within = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(start, counts) + within, place


def children_read(expression: Term, frame: Frame) -> frozenset[str]:
    """Which of events and links an expression reads."""
    return frozenset(CHILDREN) & {table for field in read_by(expression) for table in tables(field, frame.view)}


def child_of(expression: Term, frame: Frame) -> str | None:
    """The table of events or links on which a comparison is judged: events when it reads both."""
    read_from = children_read(expression, frame)
    return next((child for child in CHILDREN if child in read_from), None)


def level(expression: Binary, frame: Frame) -> str | None:
    """The one small table that a comparison with a literal can be judged on, instead of on every span."""
    condition = comparison(expression)
    if condition is None or (condition.absence and getattr(condition.field, "scope", None) is Scope.NONE):
        return None
    return small_table(condition.field, frame)


def small_table(field: Attribute | IntrinsicField, frame: Frame) -> str | None:
    """The one table above spans that a field is read from."""
    read_from = tables(field, frame.view)
    return next((table for table in _ABOVE if read_from == {table}), None)


def may_fail(term: Term) -> bool:
    """Whether judging it of every span may end the query, while judging it of those that are left would not."""
    return not isinstance(term, Membership) and divides(term)


def cost(expression: Term, frame: Frame) -> int:
    """How dear an expression is to judge, roughly: what reads small tables comes first, what numbers trees late.

    Last comes what divides, which others may guard from zero.
    """
    if may_fail(expression):
        return 3
    read_from = {table for field in read_by(expression) for table in tables(field, frame.view)}
    if read_from <= {"resources", "scopes"}:
        return 0
    numbered = any(isinstance(field, IntrinsicField) and field.intrinsic in _NUMBERED for field in read_by(expression))
    return 2 if numbered else 1
