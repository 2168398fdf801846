"""Search: the newest traces that a query matches, over all units, exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np

from vivace.backend.query.catalogue import Visible
from vivace.backend.query.compare import Check, still
from vivace.backend.query.conditions import Conditions, conditions
from vivace.backend.query.expression import Evaluation
from vivace.backend.query.found import Found, answers
from vivace.backend.query.pipeline import spansets
from vivace.backend.query.shown import Json
from vivace.backend.query.spansets import Spansets
from vivace.backend.query.summary import summary
from vivace.backend.query.view import View
from vivace.backend.store.distinct import distinct_numbers
from vivace.traceql.tree import Pipeline

_NEVER = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What to search. A trace is in the window when it overlaps it; `spans` bounds the spans shown per spanset."""

    pipeline: Pipeline
    limit: int = 20
    spans: int = 3
    start_ns: int | None = None
    end_ns: int | None = None
    with_spansets: bool = True


def search(
    views: Iterable[Visible],
    request: SearchRequest,
    check: Check = still,
    offer: Callable[[Callable[[], list[Json]]], None] = lambda _: None,
) -> list[Json]:
    """The traces of an answer, from views in which every trace is whole. `check` may raise to end a search early.

    `offer` is given, after each view, what makes the answer as far as it is known.
    """
    asked = conditions(request.pipeline)
    spans = request.spans if request.with_spansets else None
    found: list[Found] = []
    for visible in sorted(views, key=lambda visible: -visible.view.unit.info.end_ns):
        if len(found) >= request.limit and visible.view.unit.info.end_ns < -found[-1].order[0]:
            break
        if overlaps(visible.view, request.start_ns, request.end_ns):
            check()
            newest = _newest(visible, matched(visible.view, request.pipeline, asked, check), request)
            found = sorted([*found, *newest], key=lambda one: one.order)[: request.limit]
            offer(partial(answers, found, spans, asked, check))
    return answers(found, spans, asked, check)


def matched(view: View, pipeline: Pipeline, asked: Conditions, check: Check = still) -> Spansets:
    """The spansets that a pipeline makes of a unit; computed once, as long as memory allows."""
    return view.remember(
        ("spansets", pipeline, asked),
        lambda: spansets(pipeline, view, Evaluation(asked, check)),
        lambda sets: sets.nbytes,
        passing=True,
    )


def overlaps(view: View, start_ns: int | None, end_ns: int | None) -> bool:
    """Whether a unit may hold anything of a window; None is open."""
    after = end_ns is not None and view.unit.info.start_ns > end_ns
    before = start_ns is not None and view.unit.info.end_ns < start_ns
    return not (after or before)


def _newest(visible: Visible, sets: Spansets, request: SearchRequest) -> list[Found]:
    if not len(sets):
        return []
    view, traces = visible.view, distinct_numbers(sets.trace)
    if visible.hidden is not None:
        traces = traces[~visible.hidden[traces]]
    of = summary(view)
    start, end = of.start[traces], of.end[traces]
    inside = np.ones(len(traces), np.bool_)
    if request.end_ns is not None:
        inside &= start <= request.end_ns
    if request.start_ns is not None:
        inside &= end >= request.start_ns
    if len(traces) > request.limit:
        inside &= start >= np.partition(np.where(inside, start, _NEVER), -request.limit)[-request.limit]
    traces, start = traces[inside], start[inside]
    high, low = (view.words("traces", name)[traces] for name in ("trace_hi", "trace_lo"))
    order = np.lexsort((low, high, -start))[: request.limit]
    return [
        Found((-int(start[place]), int(high[place]), int(low[place])), view, int(traces[place]), sets)
        for place in order
    ]
