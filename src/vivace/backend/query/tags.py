"""Which attributes there are, and which values they have: what autocompletion asks."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vivace.backend.query.catalogue import Visible
from vivace.backend.query.compare import Check, still
from vivace.backend.query.conditions import conditions
from vivace.backend.query.fields import INTRINSICS, TABLES, Frame, held
from vivace.backend.query.parameters import Window
from vivace.backend.query.placement import children_of
from vivace.backend.query.search import matched, overlaps
from vivace.backend.query.value import KINDS, STATUSES, Column, Identifiers, Lists, Mask, Part, Rows, Type
from vivace.backend.query.view import View
from vivace.backend.store.distinct import distinct_numbers
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

MOST_VALUES: Final = 100_000
"""Of each type that an answer gives; Grafana shows some hundreds."""

Values = Mapping[Type, pa.Array]
"""Distinct values by type."""


@dataclass(frozen=True, slots=True)
class TagRequest:
    """Which data to look at: spans that overlap the window, and of these the ones that a query selects."""

    window: Window = field(default_factory=Window)
    pipeline: Pipeline | None = None
    check: Check = still


@dataclass(frozen=True, slots=True, order=True)
class TagValue:
    """A value as text, and its type as the API names it."""

    type: str
    text: str


def tag_names(views: Iterable[Visible], request: TagRequest, scopes: Sequence[Scope]) -> Mapping[Scope, list[str]]:
    """The keys that occur in each scope, in order; but for the empty one, which TraceQL cannot name."""
    found: dict[Scope, set[str]] = {scope: set() for scope in scopes}
    for visible in _looked_at(views, request, whole=request.pipeline is not None):
        for scope in scopes:
            found[scope].update(_keys(visible, TABLES[scope], request))
    return {scope: sorted(keys - {""}) for scope, keys in found.items()}


def tag_values(views: Iterable[Visible], request: TagRequest, tag: Attribute | IntrinsicField) -> list[TagValue]:
    """The distinct values of a tag, in order; of durations, numbers and IDs of every span none.

    Of more than MOST_VALUES of a type the first are given.
    """
    if isinstance(tag, IntrinsicField) and tag.intrinsic in _LISTED:
        return sorted(TagValue("keyword", name) for name in _LISTED[tag.intrinsic])
    found: Values = {}
    for visible in _looked_at(views, request, whole=request.pipeline is not None or _of_trace(tag)):
        found = _together([found, _values(visible, tag, request)])
    texts = {TagValue(kind.value, _text(value)) for kind, values in found.items() for value in values.to_pylist()}
    return sorted(texts, key=lambda one: (one.text, one.type))


def _looked_at(views: Iterable[Visible], request: TagRequest, *, whole: bool) -> Iterator[Visible]:
    """The units of the window. What single spans say is the same in pieces of a trace; else traces must be `whole`."""
    for visible in views:
        if overlaps(visible.view, request.window.start_ns, request.window.end_ns):
            request.check()
            yield visible if whole else Visible(visible.view)


def _of_trace(tag: Attribute | IntrinsicField) -> bool:
    """Whether a value is that of a trace, which all of its spans decide."""
    return isinstance(tag, IntrinsicField) and INTRINSICS[tag.intrinsic].table == "traces"


def _keys(visible: Visible, table: str, request: TagRequest) -> frozenset[str]:
    view = visible.view
    if request.pipeline is None and _inside(view, request.window):
        services = {"service.name"} if table == "resources" and view.rows(table) else frozenset()
        return view.keys(table) | services
    rows = _rows(visible, table, request)
    found = frozenset(key for key in view.keys(table) if held(view, table, key).held[rows].any())
    return found | {"service.name"} if table == "resources" and len(rows) and request.pipeline is None else found


def _inside(view: View, window: Window) -> bool:
    """Whether all of a unit is in the window."""
    before = window.start_ns is not None and view.unit.info.start_ns < window.start_ns
    after = window.end_ns is not None and view.unit.info.end_ns > window.end_ns
    return not (before or after)


def _rows(visible: Visible, table: str, request: TagRequest) -> Rows:
    """The rows of a table that belong to the spans looked at."""
    view = visible.view
    if request.pipeline is None and visible.hidden is None and _inside(view, request.window):
        return np.arange(view.rows(table))
    spans = _spans(visible, request)
    if table in ("events", "links"):
        return children_of(Frame(view, "spans", spans), table)[0]
    rows = Frame(view, "spans", spans).of(table)
    return spans if rows is None or table == "spans" else distinct_numbers(rows)


def _spans(visible: Visible, request: TagRequest) -> Rows:
    """The spans of the window that a query selects, without one all, in traces that are not hidden."""
    view = visible.view
    if request.pipeline is None:
        spans = np.arange(view.rows("spans"))
    else:
        spans = np.sort(matched(view, request.pipeline, conditions(request.pipeline), request.check).span_rows())
    if visible.hidden is not None:
        spans = spans[~visible.hidden[view.index("spans", "trace")[spans]]]
    return spans if _inside(view, request.window) else spans[_overlapping(view, spans, request.window)]


def _overlapping(view: View, spans: Rows, window: Window) -> Mask:
    start, duration = (view.numbers("spans", name).data[spans].astype(np.int64) for name in ("start", "duration"))
    mask = np.ones(len(spans), np.bool_)
    if window.end_ns is not None:
        mask &= start <= window.end_ns
    if window.start_ns is not None:
        mask &= start + np.maximum(duration, 0) >= window.start_ns
    return mask


def _values(visible: Visible, tag: Attribute | IntrinsicField, request: TagRequest) -> Values:
    """Kept for whole units."""
    view = visible.view
    if not _inside(view, request.window):
        return _together(_read(visible, tag, request))
    return view.remember(
        ("tag values", tag, request.pipeline, visible.hidden_key),
        lambda: _together(_read(visible, tag, request)),
        lambda found: sum(int(values.nbytes) for values in found.values()),
        passing=True,
    )


def _together(several: Iterable[Values]) -> Values:
    """Distinct values, by type in their order, and no more of them than are given."""
    found: dict[Type, list[pa.Array]] = defaultdict(list)
    for some in several:
        for kind, values in some.items():
            found[kind].append(values)
    return {kind: _sorted(pc.unique(pa.concat_arrays(arrays))) for kind, arrays in found.items()}


def _sorted(distinct: pa.Array) -> pa.Array:
    if pa.types.is_boolean(distinct.type):
        return distinct
    order = pc.array_sort_indices(distinct)
    return distinct.take(order[:MOST_VALUES])


def _read(visible: Visible, tag: Attribute | IntrinsicField, request: TagRequest) -> Iterator[Values]:
    view = visible.view
    if isinstance(tag, IntrinsicField):
        reader = INTRINSICS[tag.intrinsic]
        part = reader.read(view)
        if isinstance(part, Column) and part.type is Type.STRING:
            yield from _distinct(part, _rows(visible, reader.table, request))
        return
    for table in _UNSCOPED if tag.scope is Scope.NONE else (TABLES[tag.scope],):
        if view.has(table, tag.name) or tag.name == "service.name":
            rows = _rows(visible, table, request)
            for one in held(view, table, tag.name).parts:
                request.check()
                yield from _distinct(one, rows)


def _distinct(part: Part, rows: Rows) -> Iterator[Values]:
    if isinstance(part, Identifiers):
        return
    if isinstance(part, Lists):
        taken = part.take(rows)
        yield from _distinct(taken.elements, np.arange(len(taken.elements)))
        return
    column = part.take(rows)
    if column.type is Type.STRING:
        codes = distinct_numbers(column.data[column.known])
        words = pa.array([], pa.string()) if column.words is None else column.words
        yield {column.type: words.take(pa.array(codes))}
    else:
        yield {column.type: pc.unique(pa.array(column.data[column.known]))}


def _text(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, float):
        return str(value)
    return np.format_float_positional(value, trim="0") if math.isfinite(value) else _not_finite(value)


def _not_finite(value: float) -> str:
    """As Go writes it."""
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
