"""Traces that a search found -> the JSON that answers it, all traces of a unit at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from vivace.backend.query.compare import Check, still
from vivace.backend.query.conditions import Conditions
from vivace.backend.query.shown import Json, Shown, computed, shown
from vivace.backend.query.spansets import Spansets
from vivace.backend.query.summary import root_names, root_services, span_services, summary
from vivace.backend.query.tree_order import ranges
from vivace.backend.query.value import Rows
from vivace.backend.query.view import View
from vivace.backend.store.distinct import distinct_numbers
from vivace.errors import QueryError

MOST_SHOWN: Final = 100_000
"""Spans in an answer."""
NO_ROOT: Final = "<root span not yet received>"
_WORD: Final = 1 << 64
_MOST_MS: Final = (1 << 32) - 1
"""Answers are messages with unsigned fields, and who reads them strictly would refuse all because of one."""


@dataclass(frozen=True, slots=True)
class Found:
    """A trace that matches, in the order of answers: newest first, then by ID."""

    order: tuple[int, int, int]
    view: View
    trace: int
    sets: Spansets


def answers(found: Sequence[Found], spans: int | None, asked: Conditions, check: Check = still) -> list[Json]:
    """The traces as the API has them, in the order given; `spans` is how many of a spanset are shown.

    0 shows all spans, None shows no spansets at all. QueryError when that would be more than MOST_SHOWN.
    """
    if spans is None:
        return [_trace(one, check) for one in found]
    by_view: dict[int, list[Found]] = defaultdict(list)
    for one in found:
        by_view[id(one.view)].append(one)
    chosen = [_Chosen.of(group, spans) for group in by_view.values()]
    shown_spans = sum(int(one.some.sum()) for one in chosen)
    if shown_spans > MOST_SHOWN:
        raise QueryError(f"the answer would show {shown_spans} spans, more than {MOST_SHOWN}; lower limit or spss")
    sets = {id(one.view): _spansets(one, asked, check) for one in chosen}
    return [_trace(one, check) | _with_spansets(one, sets[id(one.view)][one.trace]) for one in found]


def _trace(one: Found, check: Check) -> Json:
    check()
    of = summary(one.view)
    answer: Json = {
        "traceID": f"{(one.order[1] << 64) | one.order[2]:x}",
        "rootServiceName": root_services(one.view).python(one.trace) or NO_ROOT,
        "rootTraceName": root_names(one.view).python(one.trace),
        "startTimeUnixNano": str(int(of.start[one.trace]) % _WORD),
        "durationMs": min(max(int(of.end[one.trace]) - int(of.start[one.trace]), 0) // 1_000_000, _MOST_MS),
    }
    return {key: value for key, value in answer.items() if value}


def _with_spansets(one: Found, sets: Sequence[Json]) -> Json:
    return {"spanSet": sets[0], "spanSets": list(sets), "serviceStats": _services(one.view, one.trace)}


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The spansets of some traces of one unit: their numbers, where their spans begin, how many there and are shown."""

    view: View
    sets: Spansets
    numbers: Rows
    start: Rows
    count: Rows
    some: Rows

    @classmethod
    def of(cls, found: Sequence[Found], spans: int) -> _Chosen:
        """Those of traces that were found in one unit."""
        sets = found[0].sets
        numbers = np.flatnonzero(np.isin(sets.trace, [one.trace for one in found]))
        start = np.searchsorted(sets.of, numbers)
        count = np.searchsorted(sets.of, numbers, "right") - start
        return cls(found[0].view, sets, numbers, start, count, np.minimum(count, spans) if spans else count)


def _spansets(chosen: _Chosen, asked: Conditions, check: Check) -> Mapping[int, list[Json]]:
    """By trace."""
    view, sets, some = chosen.view, chosen.sets, chosen.some
    rows = sets.span_rows()[ranges(chosen.start, some)]
    shown_spans = _spans(view, rows, shown(view, rows, asked))
    answer: dict[int, list[Json]] = defaultdict(list)
    stops = np.cumsum(some)
    for place, number in enumerate(chosen.numbers.tolist()):
        check()
        mine = shown_spans[stops[place] - some[place] : stops[place]]
        answer[int(sets.trace[number])].append(_spanset(sets, number, mine, int(chosen.count[place])))
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
    answer: Json = {"spanID": f"{span_id:016x}", "startTimeUnixNano": str(start % _WORD)}
    if said.name:
        answer["name"] = said.name
    if duration > 0:
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
    for code in distinct_numbers(services.data):
        mine = services.data == code
        stats = {"spanCount": int(mine.sum()), "errorCount": int((mine & failed).sum())}
        answer[str(services.python(int(np.flatnonzero(mine)[0])))] = {k: v for k, v in stats.items() if v}
    return answer
