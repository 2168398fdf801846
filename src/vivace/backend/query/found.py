"""Traces that a search found -> the JSON that answers it, all traces of a unit at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from vivace.backend.query.conditions import Conditions
from vivace.backend.query.shown import Json, Shown, computed, shown
from vivace.backend.query.spansets import Spansets
from vivace.backend.query.summary import root_names, root_services, span_services, summary
from vivace.backend.query.value import Rows
from vivace.backend.query.view import View

NO_ROOT: Final = "<root span not yet received>"


@dataclass(frozen=True, slots=True)
class Found:
    """A trace that matches, in the order of answers: newest first, then by ID."""

    order: tuple[int, int, int]
    view: View
    trace: int
    sets: Spansets


def answers(found: Sequence[Found], spans: int | None, asked: Conditions) -> list[Json]:
    """The traces as the API has them, in the order given; `spans` is how many of a spanset are shown.

    0 shows all spans, None shows no spansets at all.
    """
    if spans is None:
        return [_trace(one) for one in found]
    by_view: dict[int, list[Found]] = defaultdict(list)
    for one in found:
        by_view[id(one.view)].append(one)
    sets = {key: _spansets(group, spans, asked) for key, group in by_view.items()}
    return [_trace(one) | _with_spansets(one, sets[id(one.view)][one.trace]) for one in found]


def _trace(one: Found) -> Json:
    of = summary(one.view)
    answer: Json = {
        "traceID": f"{(one.order[1] << 64) | one.order[2]:x}",
        "rootServiceName": root_services(one.view).python(one.trace) or NO_ROOT,
        "rootTraceName": root_names(one.view).python(one.trace),
        "startTimeUnixNano": str(of.start[one.trace]),
        "durationMs": int(of.end[one.trace] - of.start[one.trace]) // 1_000_000,
    }
    return {key: value for key, value in answer.items() if value}


def _with_spansets(one: Found, sets: Sequence[Json]) -> Json:
    return {"spanSet": sets[0], "spanSets": list(sets), "serviceStats": _services(one.view, one.trace)}


def _spansets(found: Sequence[Found], spans: int, asked: Conditions) -> Mapping[int, list[Json]]:
    """The spansets of some traces of one unit, by trace."""
    view, sets = found[0].view, found[0].sets
    numbers = np.flatnonzero(np.isin(sets.trace, [one.trace for one in found]))
    start = np.searchsorted(sets.of, numbers)
    count = np.searchsorted(sets.of, numbers, "right") - start
    some = np.minimum(count, spans) if spans else count
    every = sets.span_rows()
    rows = np.concatenate([every[at : at + few] for at, few in zip(start, some, strict=True)])
    shown_spans = _spans(view, rows, shown(view, rows, asked))
    answer: dict[int, list[Json]] = defaultdict(list)
    stops = np.cumsum(some)
    for place, number in enumerate(numbers.tolist()):
        mine = shown_spans[stops[place] - some[place] : stops[place]]
        answer[int(sets.trace[number])].append(_spanset(sets, number, mine, int(count[place])))
    return answer


def _spanset(sets: Spansets, number: int, spans: list[Json], count: int) -> Json:
    answer: Json = {"spans": spans, "matched": count}
    if sets.computed:
        answer["attributes"] = [{"key": one.name, "value": computed(one.parts, number)} for one in sets.computed]
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
    services = span_services(view, rows)
    failed = view.numbers("spans", "status").data[rows] == 2
    answer: Json = {}
    for code in np.unique(services.data):
        mine = services.data == code
        stats = {"spanCount": int(mine.sum()), "errorCount": int((mine & failed).sum())}
        answer[str(services.python(int(np.flatnonzero(mine)[0])))] = {k: v for k, v in stats.items() if v}
    return answer
