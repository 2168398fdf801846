"""Which attributes there are, and which values they have: what autocompletion asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vivace.backend.query.catalogue import Visible
from vivace.backend.query.conditions import conditions
from vivace.backend.query.expression import children_of
from vivace.backend.query.fields import INTRINSICS, TABLES, Frame, held
from vivace.backend.query.parameters import Window
from vivace.backend.query.search import matched, overlaps
from vivace.backend.query.value import KINDS, STATUSES, Column, Identifiers, Lists, Part, Rows, Type
from vivace.backend.query.view import View
from vivace.traceql.tree import Attribute, Intrinsic, IntrinsicField, Pipeline, Scope

INTRINSIC_NAMES: Final = (
    "duration",
    "event:name",
    "event:timeSinceStart",
    "instrumentation:name",
    "instrumentation:version",
    "kind",
    "link:spanID",
    "link:traceID",
    "name",
    "rootName",
    "rootServiceName",
    "span:duration",
    "span:id",
    "span:kind",
    "span:name",
    "span:parentID",
    "span:status",
    "span:statusMessage",
    "status",
    "statusMessage",
    "trace:duration",
    "trace:id",
    "trace:rootName",
    "trace:rootService",
    "traceDuration",
)
_LISTED: Final = {Intrinsic.SPAN_STATUS: STATUSES, Intrinsic.SPAN_KIND: KINDS}
_UNSCOPED: Final = ("spans", "resources", "scopes")
"""Where values of a key without a scope are looked for."""

Check = Callable[[], None]


@dataclass(frozen=True, slots=True)
class TagRequest:
    """Which data to look at: units that overlap the window, and of these the spans that a query selects."""

    window: Window = field(default_factory=Window)
    pipeline: Pipeline | None = None
    check: Check = lambda: None


@dataclass(frozen=True, slots=True, order=True)
class TagValue:
    """A value as text, and its type as the API names it."""

    type: str
    text: str


def tag_names(views: Iterable[Visible], request: TagRequest, scopes: Sequence[Scope]) -> Mapping[Scope, list[str]]:
    """The keys that occur in each scope, in order."""
    found: dict[Scope, set[str]] = {scope: set() for scope in scopes}
    for view in _looked_at(views, request):
        for scope in scopes:
            found[scope].update(_keys(view, TABLES[scope], request.pipeline))
    return {scope: sorted(keys) for scope, keys in found.items()}


def tag_values(views: Iterable[Visible], request: TagRequest, tag: Attribute | IntrinsicField) -> list[TagValue]:
    """The distinct values of a tag, in order; of durations, numbers and IDs of every span none."""
    if isinstance(tag, IntrinsicField) and tag.intrinsic in _LISTED:
        return sorted(TagValue("keyword", name) for name in _LISTED[tag.intrinsic])
    found: set[TagValue] = set()
    for view in _looked_at(views, request):
        found |= _values(view, tag, request.pipeline)
    return sorted(found, key=lambda one: (one.text, one.type))


def _looked_at(views: Iterable[Visible], request: TagRequest) -> Iterator[View]:
    for visible in views:
        if overlaps(visible.view, request.window.start_ns, request.window.end_ns):
            request.check()
            yield visible.view


def _keys(view: View, table: str, pipeline: Pipeline | None) -> frozenset[str]:
    if pipeline is None:
        services = {"service.name"} if table == "resources" and view.rows(table) else frozenset()
        return view.keys(table) | services
    rows = _rows(view, table, pipeline)
    return frozenset(key for key in view.keys(table) if held(view, table, key).held[rows].any())


def _rows(view: View, table: str, pipeline: Pipeline | None) -> Rows:
    """The rows of a table that belong to the spans that a query selects; without one all."""
    if pipeline is None:
        return np.arange(view.rows(table))
    spans = np.sort(matched(view, pipeline, conditions(pipeline)).span_rows())
    if table in ("events", "links"):
        return children_of(Frame(view, "spans", spans), table)[0]
    rows = Frame(view, "spans", spans).of(table)
    return spans if rows is None or table == "spans" else np.unique(rows)


def _values(view: View, tag: Attribute | IntrinsicField, pipeline: Pipeline | None) -> frozenset[TagValue]:
    return view.remember(
        ("tag values", tag, pipeline),
        lambda: frozenset(_read(view, tag, pipeline)),
        lambda found: 200 * len(found),
    )


def _read(view: View, tag: Attribute | IntrinsicField, pipeline: Pipeline | None) -> Iterator[TagValue]:
    if isinstance(tag, IntrinsicField):
        reader = INTRINSICS[tag.intrinsic]
        part = reader.read(view)
        if isinstance(part, Column) and part.type is Type.STRING:
            yield from _distinct(part, _rows(view, reader.table, pipeline))
        return
    for table in _UNSCOPED if tag.scope is Scope.NONE else (TABLES[tag.scope],):
        if view.has(table, tag.name) or tag.name == "service.name":
            rows = _rows(view, table, pipeline)
            for one in held(view, table, tag.name).parts:
                yield from _distinct(one, rows)


def _distinct(part: Part, rows: Rows) -> Iterator[TagValue]:
    if isinstance(part, Identifiers):
        return
    if isinstance(part, Lists):
        taken = part.take(rows)
        yield from _distinct(taken.elements, np.arange(len(taken.elements)))
        return
    column = part.take(rows)
    kind = column.type.value
    if column.type is Type.STRING:
        codes = np.unique(column.data[column.known])
        words = pa.array([], pa.string()) if column.words is None else column.words
        yield from (TagValue(kind, str(word)) for word in words.take(pa.array(codes)).to_pylist())
    else:
        values = pc.unique(pa.array(column.data[column.known])).to_pylist()
        yield from (TagValue(kind, _text(value)) for value in values)


def _text(value: float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else np.format_float_positional(value, trim="0")
