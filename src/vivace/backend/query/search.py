"""Search: the newest traces that a query matches, over all units, exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from vivace.backend.query.catalogue import Visible
from vivace.backend.query.conditions import Conditions, conditions
from vivace.backend.query.expression import Evaluation
from vivace.backend.query.pipeline import spansets
from vivace.backend.query.shown import Json, Shown, computed, shown
from vivace.backend.query.spansets import Spansets
from vivace.backend.query.summary import root_names, root_services, span_services, summary
from vivace.backend.query.value import Rows
from vivace.backend.query.view import View
from vivace.traceql.tree import Pipeline

NO_ROOT: Final = "<root span not yet received>"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What to search. A trace is in the window when it overlaps it; `spans` bounds the spans shown per spanset."""

    pipeline: Pipeline
    limit: int = 20
    spans: int = 3
    start_ns: int | None = None
    end_ns: int | None = None
    with_spansets: bool = True


@dataclass(frozen=True, slots=True)
class _Found:
    """A trace that matches, in the order of answers: newest first, then by ID."""

    order: tuple[int, int, int]
    view: View
    trace: int
    sets: Spansets


def search(views: Iterable[Visible], request: SearchRequest, check: Callable[[], None] = lambda: None) -> list[Json]:
    """The traces of an answer, from views in which every trace is whole. `check` may raise to end a search early."""
    asked = conditions(request.pipeline)
    found: list[_Found] = []
    for visible in sorted(views, key=lambda visible: -visible.view.unit.info.end_ns):
        if len(found) >= request.limit and visible.view.unit.info.end_ns < -found[-1].order[0]:
            break
        if overlaps(visible.view, request.start_ns, request.end_ns):
            check()
            newest = _newest(visible, matched(visible.view, request.pipeline, asked), request)
            found = sorted([*found, *newest], key=lambda one: one.order)[: request.limit]
    return [_trace(one, request, asked) for one in found]


def matched(view: View, pipeline: Pipeline, asked: Conditions) -> Spansets:
    """The spansets that a pipeline makes of a unit; computed once, as long as memory allows."""
    return view.remember(
        ("spansets", pipeline, asked), lambda: spansets(pipeline, view, Evaluation(asked)), lambda sets: sets.nbytes
    )


def overlaps(view: View, start_ns: int | None, end_ns: int | None) -> bool:
    """Whether a unit may hold anything of a window; None is open."""
    after = end_ns is not None and view.unit.info.start_ns > end_ns
    before = start_ns is not None and view.unit.info.end_ns < start_ns
    return not (after or before)


def _newest(visible: Visible, sets: Spansets, request: SearchRequest) -> list[_Found]:
    view, traces = visible.view, np.unique(sets.trace)
    if visible.hidden is not None:
        traces = traces[~visible.hidden[traces]]
    of = summary(view)
    start, end = of.start[traces], of.end[traces]
    inside = np.ones(len(traces), np.bool_)
    if request.end_ns is not None:
        inside &= start <= request.end_ns
    if request.start_ns is not None:
        inside &= end >= request.start_ns
    traces, start = traces[inside], start[inside]
    high, low = (view.words("traces", name)[traces] for name in ("trace_hi", "trace_lo"))
    order = np.lexsort((low, high, -start))[: request.limit]
    return [
        _Found((-int(start[place]), int(high[place]), int(low[place])), view, int(traces[place]), sets)
        for place in order
    ]


def _trace(one: _Found, request: SearchRequest, asked: Conditions) -> Json:
    view, trace = one.view, one.trace
    of = summary(view)
    answer: Json = {
        "traceID": f"{(one.order[1] << 64) | one.order[2]:x}",
        "rootServiceName": root_services(view).python(trace) or NO_ROOT,
        "rootTraceName": root_names(view).python(trace),
        "startTimeUnixNano": str(of.start[trace]),
        "durationMs": int(of.duration[trace]) // 1_000_000,
    }
    answer = {key: value for key, value in answer.items() if value}
    if request.with_spansets:
        sets = _spansets(one, request, asked)
        answer |= {"spanSet": sets[0], "spanSets": sets, "serviceStats": _services(view, trace)}
    return answer


def _spansets(one: _Found, request: SearchRequest, asked: Conditions) -> list[Json]:
    first = one.sets.first
    return [
        _spanset(one, int(number), one.sets.span_rows()[first[number] : first[number + 1]], request, asked)
        for number in np.flatnonzero(one.sets.trace == one.trace)
    ]


def _spanset(one: _Found, number: int, rows: Rows, request: SearchRequest, asked: Conditions) -> Json:
    shown_rows = rows[: request.spans] if request.spans else rows
    answer: Json = {"spans": _spans(one.view, shown_rows, shown(one.view, shown_rows, asked)), "matched": len(rows)}
    if one.sets.computed:
        answer["attributes"] = [{"key": each.name, "value": computed(each.parts, number)} for each in one.sets.computed]
    return answer


def _spans(view: View, rows: Rows, said: Sequence[Shown]) -> list[Json]:
    ids = view.words("spans", "span_id")[rows]
    starts, durations = (view.numbers("spans", name).data[rows] for name in ("start", "duration"))
    return [
        _span(int(ids[place]), int(starts[place]), int(durations[place]), said[place]) for place in range(len(rows))
    ]


def _span(span_id: int, start: int, duration: int, said: Shown) -> Json:
    answer: Json = {"spanID": f"{span_id:016x}", "startTimeUnixNano": str(start)}
    if said.name:
        answer["name"] = said.name
    if duration:
        answer["durationNanos"] = str(duration)
    if said.attributes:
        answer["attributes"] = [{"key": key, "value": value} for key, value in said.attributes]
    return answer


def _services(view: View, trace: int) -> Json:
    """How many spans, and how many in error, each service has in a trace."""
    first, count = (int(view.numbers("traces", name).data[trace]) for name in ("first", "count"))
    rows = np.arange(first, first + count)
    services = span_services(view).take(rows)
    failed = view.numbers("spans", "status").data[rows] == 2
    answer: Json = {}
    for code in np.unique(services.data):
        mine = services.data == code
        stats = {"spanCount": int(mine.sum()), "errorCount": int((mine & failed).sum())}
        answer[str(services.python(int(np.flatnonzero(mine)[0])))] = {k: v for k, v in stats.items() if v}
    return answer
