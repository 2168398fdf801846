"""Answers requests from the store: what the HTTP API calls, in its worker threads, and nothing of HTTP."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from vivace.backend.query.catalogue import Catalogue, Snapshot, Visible
from vivace.backend.query.lookup import Piece
from vivace.backend.query.memory import Memory
from vivace.backend.query.metrics.answer import instant_answer, range_answer
from vivace.backend.query.metrics.bounds import Bounds, asked_bounds
from vivace.backend.query.metrics.query import query
from vivace.backend.query.metrics.timeline import Instant, Times, default_step, timeline
from vivace.backend.query.parameters import MetricsParameters, SearchParameters
from vivace.backend.query.rebuild import rebuild
from vivace.backend.query.search import SearchRequest, overlaps, search
from vivace.backend.query.selection import Selection, keep_spans, selected_spans
from vivace.backend.query.shown import Json
from vivace.backend.query.tag_search import tag_pipeline
from vivace.backend.query.tags import TagRequest, TagValue, tag_names, tag_values
from vivace.backend.store.unit import UnitKind, UnreadableUnit
from vivace.errors import QueryError
from vivace.traceql.parser import parse
from vivace.traceql.tree import (
    Attribute,
    Compare,
    Hint,
    IntrinsicField,
    MetricsExpression,
    MetricsPipeline,
    Pipeline,
    Scope,
)

T = TypeVar("T")

MEMORY_BYTES: Final = 560_000_000
QUERY_BYTES: Final = 131_072
UNREADABLE: Final = "some of the stored data cannot be read"
WARM_QUERY: Final = '{ .a =~ "b.*" } >> { status = error && duration > 1ms } | rate() by (resource.service.name)'

Check = Callable[[], None]
"""Raises when nobody waits for the answer any more."""
Offer = Callable[[Callable[[], Json]], None]
"""Takes what would make a partial answer, and may make it."""


def decline(_: Callable[[], Json]) -> None:
    """An offer that is not taken."""


@dataclass(frozen=True, slots=True)
class TraceAnswer:
    """A trace, empty when no unit has it."""

    trace: TracesData
    too_large: bool = False
    """Only a part of it is here."""
    unreadable: bool = False
    """There may be more of it in what cannot be read."""


class Querier:
    """Everything that can be asked of a store. What cannot be read of it is left out, and said where it can be."""

    def __init__(self, units: Snapshot | Catalogue, memory_bytes: int = MEMORY_BYTES) -> None:
        """`units` gives the visible units; what is computed from them is kept up to `memory_bytes`."""
        self._catalogue = units if isinstance(units, Catalogue) else Catalogue(units, Memory(memory_bytes))

    def refresh(self) -> None:
        """Look at the store, so that the next request need not."""
        self._catalogue.visible()

    def close(self) -> None:
        """Give back all memory; it can be used again."""
        self._catalogue.close()

    def search(self, parameters: SearchParameters, check: Check, offer: Offer = decline) -> Json:
        """The answer of /api/search; partial ones are offered."""
        request = SearchRequest(
            pipeline=_pipeline(parameters.query) if parameters.query else tag_pipeline(parameters),
            limit=parameters.limit,
            spans=parameters.spans,
            start_ns=parameters.window.start_ns,
            end_ns=parameters.window.end_ns,
            with_spansets=bool(parameters.query),
        )
        return self._read(lambda views: _searched(views, request, check, offer))

    def metrics_range(self, parameters: MetricsParameters, check: Check, offer: Offer = decline) -> Json:
        """The answer of /api/metrics/query_range; partial ones are offered, the newest units first."""
        root, hints = _metrics(parameters.query)
        bounds = asked_bounds(parameters.series, parameters.exemplars, hints)
        start, end = parameters.start_ns, parameters.end_ns
        step = parameters.step_ns or default_step(start, end)
        times: Times = Instant(start, end) if parameters.instant else timeline(start, end, step)

        def answer(views: Sequence[Visible]) -> Json:
            if isinstance(root, MetricsPipeline) and not isinstance(root.aggregate, Compare):
                _gradually(root, views, times, check, offer)
            return range_answer(query(root, views, times, check, bounds), times)

        return self._marked(self._read(answer))

    def metrics_instant(self, parameters: MetricsParameters, check: Check) -> Json:
        """The answer of /api/metrics/query."""
        root, _ = _metrics(parameters.query)
        bounds = Bounds(parameters.series)
        times = Instant(parameters.start_ns, parameters.end_ns)
        return self._marked(self._read(lambda views: instant_answer(query(root, views, times, check, bounds))))

    def tag_names(self, request: TagRequest, scopes: Sequence[Scope]) -> Mapping[Scope, list[str]]:
        """The keys that occur in each scope."""
        return self._read(lambda views: tag_names(views, request, scopes))

    def tag_values(self, request: TagRequest, tag: Attribute | IntrinsicField) -> list[TagValue]:
        """The values that a tag has."""
        return self._read(lambda views: tag_values(views, request, tag))

    def trace(
        self,
        trace_id: int,
        check: Check = lambda: None,
        selection: Selection | None = None,
        most_bytes: int | None = None,
        kinds: Collection[UnitKind] = tuple(UnitKind),
    ) -> TraceAnswer:
        """A trace, as units of some kinds have it; of one that is larger than `most_bytes` only a part."""
        pipeline = _pipeline(selection.query) if selection else None

        def answer(pieces: Sequence[Piece]) -> tuple[TracesData, bool]:
            data, complete = rebuild(pieces, most_bytes, check)
            if selection and pipeline and pieces:
                keep_spans(data, selected_spans(pieces, pipeline), selection)
            return data, complete

        def pieces() -> list[Piece]:
            return [one for one in self._catalogue.pieces(trace_id) if one.view.unit.info.kind in kinds]

        data, complete = self._tried(lambda: answer(pieces()))
        return TraceAnswer(data, not complete, not self._catalogue.complete)

    def _read(self, answer: Callable[[Sequence[Visible]], T]) -> T:
        return self._tried(lambda: answer(self._catalogue.visible()))

    def _tried(self, act: Callable[[], T]) -> T:
        """Tries again without what turns out to be unreadable."""
        while True:
            try:
                return act()
            except UnreadableUnit as error:
                self._catalogue.leave_out(error)

    def _marked(self, answer: Json) -> Json:
        return answer if self._catalogue.complete else answer | {"status": "PARTIAL", "message": UNREADABLE}


def _searched(views: Sequence[Visible], request: SearchRequest, check: Check, offer: Offer) -> Json:
    looked_at = [one for one in views if overlaps(one.view, request.start_ns, request.end_ns)]
    spans = sum(one.view.unit.info.spans for one in looked_at)
    metrics: Json = {"inspectedTraces": sum(one.traces for one in looked_at), "inspectedSpans": str(spans)}
    found = search(looked_at, request, check, lambda make: offer(lambda: {"traces": make()}))
    return {"traces": found, "metrics": metrics if spans else {}}


def warm_up() -> None:
    """Loads what the first query would have to wait for: the grammar."""
    _metrics(WARM_QUERY)


def _gradually(root: MetricsPipeline, views: Sequence[Visible], times: Times, check: Check, offer: Offer) -> None:
    """Counts unit after unit, which is kept, and offers what is known of all."""
    if offer is decline:
        return
    newest = sorted(views, key=lambda visible: -visible.view.unit.info.end_ns)
    for number in range(len(newest)):
        query(root, newest[number : number + 1], times, check)
        known = newest[: number + 1]
        offer(lambda known=known: range_answer(query(root, known, times, check), times))  # type: ignore[misc]


def _metrics(text: str) -> tuple[MetricsExpression, Sequence[Hint]]:
    _short_enough(text)
    try:
        parsed = parse(text)
    except QueryError as error:
        prefix = "" if error.line else "compiling query: "
        raise QueryError(f"{prefix}{error}", error.line, error.column) from error
    if isinstance(parsed.root, Pipeline):
        raise QueryError("not a metrics query")
    return parsed.root, parsed.hints


def _pipeline(text: str) -> Pipeline:
    _short_enough(text)
    try:
        root = parse(text).root
    except QueryError as error:
        raise QueryError(f"invalid TraceQL query: {error}", error.line, error.column) from error
    if not isinstance(root, Pipeline):
        raise QueryError("invalid TraceQL query: a metrics query cannot be searched for; ask /api/metrics/query_range")
    return root


def _short_enough(text: str) -> None:
    if len(text.encode(errors="replace")) > QUERY_BYTES:
        raise QueryError(
            f"TraceQL expression exceeds the configured maximum size of {QUERY_BYTES} bytes, ask for less at once"
        )
