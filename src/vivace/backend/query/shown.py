"""Which attributes an answer names for the spans it shows: those that the query mentions, as far as they satisfy it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from vivace.backend.query.conditions import Condition, Conditions
from vivace.backend.query.expression import Evaluation, let_through
from vivace.backend.query.fields import INTRINSICS, TABLES, Frame, held, read
from vivace.backend.query.membership import satisfied
from vivace.backend.query.placement import children_of
from vivace.backend.query.value import Column, Identifiers, Lists, Part, Rows, Type
from vivace.backend.query.view import View
from vivace.traceql.text import duration_text
from vivace.traceql.tree import Attribute, Intrinsic, IntrinsicField, Scope

Json = dict[str, object]
Field = Attribute | IntrinsicField

_HIDDEN: Final = frozenset(
    {
        Intrinsic.SPAN_DURATION,
        Intrinsic.SPAN_ID,
        Intrinsic.TRACE_DURATION,
        Intrinsic.TRACE_ROOT_NAME,
        Intrinsic.TRACE_ROOT_SERVICE,
        Intrinsic.TRACE_ID,
    }
)
"""Intrinsics that an answer shows in other places, or not at all."""
_SHORT: Final = {
    Intrinsic.SPAN_STATUS: "status",
    Intrinsic.SPAN_KIND: "kind",
    Intrinsic.SPAN_STATUS_MESSAGE: "statusMessage",
}
NIL: Final[Json] = {"stringValue": "nil"}


@dataclass(slots=True)
class Shown:
    """What an answer says of one span beside its ID and times."""

    name: str | None = None
    attributes: list[tuple[str, Json]] = field(default_factory=list)


def shown(view: View, rows: Rows, conditions: Conditions) -> list[Shown]:
    """For each of some span rows what a query's answer names."""
    spans = [Shown() for _ in rows]
    for mentioned in _levels(conditions):
        asked = (*conditions.on(mentioned), *([Condition(mentioned)] if conditions.selects(mentioned) else ()))
        for place, value in _values(view, rows, mentioned, asked, conditions):
            if isinstance(mentioned, IntrinsicField) and mentioned.intrinsic is Intrinsic.SPAN_NAME:
                spans[place].name = str(value["stringValue"])
            else:
                spans[place].attributes.append((label(mentioned), value))
    return spans


def label(mentioned: Field) -> str:
    """The key under which an answer shows a field."""
    if isinstance(mentioned, Attribute):
        return mentioned.name
    return _SHORT.get(mentioned.intrinsic, mentioned.intrinsic.value)


def _levels(conditions: Conditions) -> list[Field]:
    """The fields to show; an unscoped attribute is looked for on the span and on its resource."""
    found: dict[tuple[str, str], Field] = {}
    for mentioned in (*(one.field for one in conditions.asked), *conditions.selected):
        if isinstance(mentioned, IntrinsicField):
            if mentioned.intrinsic not in _HIDDEN:
                found.setdefault(("", mentioned.intrinsic.value), mentioned)
        else:
            unscoped = mentioned.scope is Scope.NONE
            for scope in (Scope.SPAN, Scope.RESOURCE) if unscoped else (mentioned.scope,):
                found.setdefault((scope.value, mentioned.name), Attribute(scope, mentioned.name))
    return list(found.values())


def _values(
    view: View, rows: Rows, mentioned: Field, asked: Sequence[Condition], conditions: Conditions
) -> Iterator[tuple[int, Json]]:
    """The places of the spans that have something to show of a field, with what it is."""
    table = INTRINSICS[mentioned.intrinsic].table if isinstance(mentioned, IntrinsicField) else TABLES[mentioned.scope]
    frame = Frame(view, "spans", rows)
    if table not in ("events", "links"):
        return _of_frame(mentioned, asked, frame)
    return iter(_of_children(mentioned, asked, frame, table, conditions).items())


def _of_children(
    mentioned: Field, asked: Sequence[Condition], frame: Frame, table: str, conditions: Conditions
) -> dict[int, Json]:
    """Of several events or links the last that has something to show; one that is selected need not satisfy."""
    children, place = children_of(frame, table)
    if conditions.joint and mentioned not in conditions.selected:
        together = Evaluation(conditions).together(Frame(frame.view, table, children))
        children, place = children[together], place[together]
    inner = Frame(frame.view, table, children)
    return {int(place[row]): value for row, value in _of_frame(mentioned, asked, inner)}


def _of_frame(mentioned: Field, asked: Sequence[Condition], frame: Frame) -> Iterator[tuple[int, Json]]:
    if isinstance(mentioned, Attribute) and any(condition.absence for condition in asked):
        mask = held(frame.view, TABLES[mentioned.scope], mentioned.name).held
        rows = frame.of(TABLES[mentioned.scope])
        for place in np.flatnonzero(~(mask if rows is None else mask[rows])):
            yield int(place), NIL
    for part in read(mentioned, frame):
        if isinstance(part, Lists):
            yield from _arrays(let_through(part, asked))
        else:
            visible = satisfied(part, asked)
            column = part.column() if isinstance(part, Identifiers) else part
            for place in np.flatnonzero(visible):
                yield int(place), scalar(column, int(place))


def _arrays(arrays: Lists) -> Iterator[tuple[int, Json]]:
    bounds = np.searchsorted(arrays.row, np.arange(len(arrays) + 1))
    for place in np.flatnonzero(arrays.known):
        values = [scalar(arrays.elements, element) for element in range(bounds[place], bounds[place + 1])]
        yield int(place), values[0] if len(values) == 1 else {"arrayValue": {"values": values}}


def scalar(column: Column, row: int) -> Json:
    """One value of a column as an AnyValue in JSON."""
    value = column.python(row)
    if column.type is Type.DURATION:
        return {"stringValue": duration_text(int(value or 0))}
    if column.type is Type.INT:
        return {"intValue": str(value)}
    if column.type is Type.FLOAT:
        return {"doubleValue": double(float(value or 0))}
    if column.type is Type.BOOL:
        return {"boolValue": value}
    return {"stringValue": value}


def double(value: float) -> float | str:
    """A floating-point number as JSON has it; what JSON has no number for is text."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def computed(parts: Sequence[Part], row: int) -> Json:
    """A computed value of a spanset as an AnyValue in JSON."""
    for part in parts:
        one = part.take(np.array([row]))
        if one.known[0]:
            if isinstance(one, Lists):
                return dict(_arrays(one))[0]
            return scalar(one.column() if isinstance(one, Identifiers) else one, 0)
    return NIL
