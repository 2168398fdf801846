"""Answers to searches: traces with some of their spans."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from vivace.query.answer import Failed, Failure, Found, FoundTrace, digest_of
from vivace.query.bucket import Window

TRACE_ID: Final = re.compile(r"(?=[0-9a-fA-F]*[1-9a-fA-F])[0-9a-fA-F]{1,32}")
SLACK_NS: Final = 2_000_000_000
"""How far outside the window a trace may lie: targets and their indexes round to seconds."""
ID_DIGITS: Final = 32


class Candidate(NamedTuple):
    """A trace as the target describes it."""

    trace: FoundTrace
    start_ns: int | None
    duration_ns: int


def read_search(body: bytes, window: Window | None, limit: int) -> Found:
    """The result in an answer to a search; Failed when it is none, or cannot be right."""
    try:
        answer = json.loads(body)
        candidates = [_candidate(trace) for trace in answer.get("traces") or ()]
        inspected = (answer.get("metrics") or {}).get("inspectedSpans")
        inspected_spans = None if inspected is None else int(inspected)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Failed(Failure.UNREADABLE, f"no answer to a search: {type(error).__name__}: {error}") from None
    return checked(candidates, inspected_spans, window, limit)


def checked(candidates: Iterable[Candidate], inspected_spans: int | None, window: Window | None, limit: int) -> Found:
    """The same of traces that have been read."""
    candidates = list(candidates)
    if len(candidates) > limit:
        raise Failed(Failure.WRONG, f"{len(candidates)} traces, although the limit is {limit}")
    for candidate in candidates:
        _check(candidate, window)
    seen = tuple(candidate.trace for candidate in candidates)
    if len({trace.trace_id for trace in seen}) < len(seen):
        raise Failed(Failure.WRONG, "a trace is there twice")
    limited = len(seen) == limit
    return Found(
        traces=len(seen),
        spans=sum(len(trace.spans) for trace in seen),
        inspected_spans=inspected_spans,
        seen=seen,
        limited=limited,
        digest=None if limited else digest_of((trace.trace_id, trace.matched) for trace in seen),
    )


def _candidate(trace: dict[str, object]) -> Candidate:
    start = trace.get("startTimeUnixNano")
    sets = trace.get("spanSets") or ([trace["spanSet"]] if trace.get("spanSet") else [])
    if not isinstance(sets, list):
        raise TypeError("spanSets is no list")
    spans = tuple(str(span.get("spanID", "")).lower() for spanset in sets for span in spanset.get("spans") or ())
    matched = [spanset.get("matched") for spanset in sets]
    return Candidate(
        FoundTrace(
            str(trace["traceID"]).lower().rjust(ID_DIGITS, "0"),
            None if not sets or None in matched else sum(map(int, matched)),
            spans,
        ),
        None if start is None else int(str(start)),
        int(str(trace.get("durationMs", 0))) * 1_000_000,
    )


def _check(candidate: Candidate, window: Window | None) -> None:
    trace_id = candidate.trace.trace_id
    if not TRACE_ID.fullmatch(trace_id):
        raise Failed(Failure.WRONG, f"'{trace_id[:64]}' is no trace ID")
    if candidate.start_ns is None or window is None:
        return
    before = window.start_s * 10**9 - (candidate.start_ns + candidate.duration_ns)
    after = candidate.start_ns - window.end_s * 10**9
    if max(before, after) > SLACK_NS:
        raise Failed(Failure.WRONG, f"trace {trace_id} lies {max(before, after) / 1e9:.1f} s outside the window")
