"""Which spans metrics and logs refer to, and which IDs those spans got, so that they still refer to them in replay."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from vivace.telemetry.capture.marks import Marks


class Mentions:
    """Grows with every distinct trace and span that is referred to; stays in memory."""

    def __init__(self) -> None:
        self._traces: dict[bytes, bytes] = {}
        """New IDs of traces."""
        self._spans: dict[bytes, dict[bytes, bytes]] = {}
        """By trace: the spans referred to and their new IDs, which are empty until they are known."""

    def note(self, trace_id: bytes, span_id: bytes) -> None:
        """Takes note of a reference, of which either part may be empty."""
        if trace_id:
            spans = self._spans.setdefault(trace_id, {})
            if span_id:
                spans[span_id] = b""

    def learn(self, trace_id: bytes, spans: AbstractSet[bytes], marks: Marks) -> None:
        """Takes over the IDs of a trace and its spans, as far as anything refers to them."""
        mentioned = self._spans.get(trace_id)
        if mentioned is None:
            return
        self._traces[trace_id] = marks.trace(trace_id)
        for span_id in mentioned.keys() & spans:
            mentioned[span_id] = marks.span(trace_id, span_id)

    def forget(self) -> None:
        """Drops all that was learned."""
        self._traces.clear()
        for spans in self._spans.values():
            spans.update(dict.fromkeys(spans, b""))

    def trace(self, trace_id: bytes, marks: Marks) -> bytes:
        """The new ID of a trace, by `marks` when it is not in the capture."""
        return self._traces.get(trace_id) or marks.trace(trace_id)

    def span(self, trace_id: bytes, span_id: bytes, marks: Marks) -> bytes:
        """The new ID of a span, by `marks` when it is not in the capture."""
        return self._spans.get(trace_id, {}).get(span_id) or marks.span(trace_id, span_id)
