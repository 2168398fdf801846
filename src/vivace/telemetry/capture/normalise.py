"""Whole traces -> requests of a template: times count from 1 s, IDs are marked for replay, oddities are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from vivace.telemetry.capture.contexts import Contexts
from vivace.telemetry.capture.counts import Counts
from vivace.telemetry.capture.identifiers import SPAN_BYTES, TRACE_BYTES, is_id
from vivace.telemetry.capture.marks import Marks
from vivace.telemetry.capture.mentions import Mentions
from vivace.telemetry.capture.settings import CaptureSettings
from vivace.telemetry.capture.spool import Trace, known
from vivace.telemetry.template import EPOCH_NS

FRAME_BYTES: Final = 6
"""Tag and length of a span."""
MOST_DROPPED: Final = (1 << 32) - 1


def grouped(traces: Iterable[Trace], contexts: Contexts, settings: CaptureSettings) -> Iterator[list[Trace]]:
    """Traces in order, as many to a request as the settings let in, at least one."""
    group: list[Trace] = []
    spans = size = 0
    seen: set[int] = set()
    for trace in traces:
        added = _bytes_of(trace, contexts, seen)
        if group and (
            len(group) == settings.traces_per_request
            or spans + len(trace.spans) > settings.spans_per_request
            or size + added > settings.bytes_per_request
        ):
            yield group
            group, spans, size, seen = [], 0, 0, set()
            added = _bytes_of(trace, contexts, seen)
        group.append(trace)
        spans, size = spans + len(trace.spans), size + added
        seen.update(span.context for span in trace.spans)
    if group:
        yield group


class Normaliser:
    """Makes requests of traces, and keeps count of what is odd in them."""

    def __init__(self, contexts: Contexts, mentions: Mentions, counts: Counts, earliest: int | None = None) -> None:
        """Time 1 s is `earliest`, or else the earliest time of each trace."""
        self._contexts = contexts
        self._mentions = mentions
        self._counts = counts
        self._earliest = earliest

    def request(self, number: int, traces: Sequence[Trace]) -> bytes:
        """Request `number` of a template; `mentions` learn the new IDs."""
        parsed = [[Span.FromString(waiting.data) for waiting in trace.spans] for trace in traces]
        links = sum(len(span.links) for spans in parsed for span in spans)
        references = 2 * sum(len(spans) for spans in parsed) + links
        marks = Marks(number, [trace.id for trace in traces], references, links)
        items: dict[int, list[bytes]] = {}
        for trace, spans in zip(traces, parsed, strict=True):
            self._mark(trace.id, spans, marks)
            self._shift(spans, trace.earliest if self._earliest is None else self._earliest)
            for waiting, span in zip(trace.spans, spans, strict=True):
                items.setdefault(waiting.context, []).append(span.SerializeToString())
        self._counts.traces += len(traces)
        return self._contexts.request(items)

    def _mark(self, trace_id: bytes, spans: Sequence[Span], marks: Marks) -> None:
        """Overwrites the IDs of a trace's spans."""
        own = {span.span_id for span in spans}
        self._counts.spans += len(spans)
        self._counts.duplicates += len(spans) - len(own)
        for span in spans:
            if is_id(span.parent_span_id, SPAN_BYTES):
                self._counts.orphans += span.parent_span_id not in own
                span.parent_span_id = marks.span(trace_id, span.parent_span_id)
            else:
                span.ClearField("parent_span_id")
            span.trace_id, span.span_id = marks.trace(trace_id), marks.span(trace_id, span.span_id)
            if span.links:
                self._mark_links(span, marks)
        self._mentions.learn(trace_id, own, marks)

    def _mark_links(self, span: Span, marks: Marks) -> None:
        for number in reversed(range(len(span.links))):
            link = span.links[number]
            if is_id(link.trace_id, TRACE_BYTES) and is_id(link.span_id, SPAN_BYTES):
                link.span_id = marks.span(link.trace_id, link.span_id)
                link.trace_id = marks.trace(link.trace_id)
            else:
                del span.links[number]
                span.dropped_links_count = min(span.dropped_links_count + 1, MOST_DROPPED)
                self._counts.links_without_id += 1

    def _shift(self, spans: Sequence[Span], earliest: int) -> None:
        """Moves all times; those of events may fall before 1 s, and wrap below zero, as replay's arithmetic does."""
        shift = earliest - EPOCH_NS
        for span in spans:
            start, end = known(span.start_time_unix_nano), known(span.end_time_unix_nano)
            self._counts.untimed += not (start and end)
            start = start or end or earliest
            end = end or start
            self._counts.negative_durations += end < start
            span.start_time_unix_nano, span.end_time_unix_nano = start - shift, end - shift
            for event in span.events:
                if event.time_unix_nano:
                    event.time_unix_nano = (event.time_unix_nano - shift) % (1 << 64) or 1


def _bytes_of(trace: Trace, contexts: Contexts, seen: set[int]) -> int:
    """What the trace adds to a request that has the contexts `seen`."""
    new = {span.context for span in trace.spans} - seen
    own = sum(len(span.data) + FRAME_BYTES for span in trace.spans)
    return own + sum(contexts.bytes_of(context) + 2 * FRAME_BYTES for context in new)
