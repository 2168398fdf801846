"""One kept answer against what was sent: right, wrong and why, or beyond what can be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from vivace.query.answer import FoundTrace
from vivace.query.bucket import Window
from vivace.query.oracle.selection import selection
from vivace.query.oracle.sent import Sent, SentRequest
from vivace.query.oracle.trace import Undecided
from vivace.traceql.tree import Pipeline

SETTLED_NS: Final = 10_000_000_000
"""A trace that was acknowledged so long before a query must be found."""
EDGE_NS: Final = 2_000_000_000
"""A trace that begins or ends so near to a window's edge need not be found."""


class Wrong(Exception):
    """An answer that no correct target gives; says why."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer, and what it was asked."""

    name: str
    pipeline: Pipeline | None
    """None: a whole trace."""
    window: Window | None
    started_ns: int
    limited: bool
    traces: tuple[FoundTrace, ...]


class Verdict(NamedTuple):
    """`checked` as in the ledger: right, wrong or unchecked."""

    checked: str
    message: str | None = None


class Judge:
    """Compares answers with what was sent."""

    def __init__(self, sent: Sent, owners: Mapping[str, list[SentRequest]], exclusive: bool) -> None:
        """`owners` tells of the traces in all answers who sent them."""
        self._sent = sent
        self._owners = owners
        self._exclusive = exclusive
        self._matching: dict[tuple[str, int], list[int]] = {}

    def verdict(self, kept: Kept) -> Verdict:
        """Of one answer."""
        undecided: str | None = None
        try:
            for trace in kept.traces:
                try:
                    self._check(trace, kept)
                except Undecided as error:
                    undecided = str(error)
            if kept.pipeline is not None and kept.window is not None and not kept.limited and undecided is None:
                self._check_missing(kept, kept.pipeline, kept.window)
        except Wrong as error:
            return Verdict("wrong", str(error))
        except Undecided as error:
            undecided = str(error)
        return Verdict("right") if undecided is None else Verdict("unchecked", undecided)

    def _check(self, found: FoundTrace, kept: Kept) -> None:
        owners = self._owners.get(found.trace_id)
        if owners is None:
            if self._exclusive:
                raise Wrong(f"trace {found.trace_id} was never sent")
            raise Undecided("of a trace it is not known what it holds")
        if any(owner.altered for owner in owners):
            raise Undecided("the trace was sent in disorder")
        trace = self._sent.trace(found.trace_id, owners)
        selected = {one.id for one in (trace.spans if kept.pipeline is None else selection(kept.pipeline, trace))}
        if not selected:
            raise Wrong(f"trace {found.trace_id} has no span that the query selects")
        for span in found.spans:
            if span.rjust(16, "0") not in selected:
                raise Wrong(f"span {span} of trace {found.trace_id} is not one that the query selects")
        self._check_counts(found, kept, owners, len(selected))

    def _check_counts(self, found: FoundTrace, kept: Kept, owners: list[SentRequest], selected: int) -> None:
        counted = len(found.spans) if kept.pipeline is None else found.matched
        if counted is None:
            return
        whole = all(self._sent.whole(owner) or owner.ended_ns + SETTLED_NS < kept.started_ns for owner in owners)
        if counted > selected or (whole and counted < selected):
            noun = "spans" if kept.pipeline is None else "matching spans"
            raise Wrong(f"trace {found.trace_id} has {selected} {noun}, but the answer tells of {counted}")

    def _check_missing(self, kept: Kept, pipeline: Pipeline, window: Window) -> None:
        there = {trace.trace_id for trace in kept.traces}
        wanted = [trace_id for trace_id in self._must_find(kept, pipeline, window) if trace_id not in there]
        if wanted:
            raise Wrong(f"{len(wanted)} traces are missing that match and were acknowledged, such as {wanted[0]}")

    def _must_find(self, kept: Kept, pipeline: Pipeline, window: Window) -> Iterator[str]:
        first_ns, last_ns = window.start_s * 10**9 + EDGE_NS, window.end_s * 10**9 - EDGE_NS
        for request in self._sent.requests:
            settled = request.acknowledged and not request.altered and request.ended_ns + SETTLED_NS < kept.started_ns
            inside = first_ns <= request.t0_ns and request.t0_ns + self._sent.span_ns(request) <= last_ns
            if settled and inside and self._sent.whole(request):
                places = self._places(kept.name, pipeline, request)
                if places:
                    identifiers = self._sent.trace_ids(request)
                    yield from (identifiers[place] for place in places)

    def _places(self, name: str, pipeline: Pipeline, request: SentRequest) -> list[int]:
        """Which traces of a request match. A request of the template is the same each time, but for IDs and times."""
        key = name, self._sent.place(request)
        if key not in self._matching:
            order = {trace_id: place for place, trace_id in enumerate(self._sent.trace_ids(request))}
            self._matching[key] = [
                order[trace.trace_id.hex()] for trace in self._sent.traces(request) if selection(pipeline, trace)
            ]
        return self._matching[key]
