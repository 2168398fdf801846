"""IDs of a request -> the words that templates have for IDs, which tell replay what to overwrite with what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from vivace.telemetry.slots import marked_words

WORD: Final = 8


class Marks:
    """Gives equal IDs of one request equal words: its own traces first, then spans, then traces it only refers to."""

    def __init__(self, group: int, traces: Sequence[bytes], spans: int, foreign: int) -> None:
        """`group` is the request's number; at most so many spans and foreign traces will be asked for."""
        self._traces = {trace_id: 2 * number for number, trace_id in enumerate(traces)}
        self._spans: dict[tuple[bytes, bytes], int] = {}
        self._next_span = 2 * len(traces)
        self._next_foreign = 2 * len(traces) + spans + spans % 2
        self._words = marked_words(group, np.arange(self._next_foreign + 2 * foreign)).tobytes()

    def trace(self, trace_id: bytes) -> bytes:
        """The ID for a trace."""
        slot = self._traces.get(trace_id)
        if slot is None:
            slot = self._traces[trace_id] = self._next_foreign
            self._next_foreign += 2
        return self._words[WORD * slot : WORD * (slot + 2)]

    def span(self, trace_id: bytes, span_id: bytes) -> bytes:
        """The ID for a span; the same span ID in another trace is another span."""
        slot = self._spans.get((trace_id, span_id))
        if slot is None:
            slot = self._spans[trace_id, span_id] = self._next_span
            self._next_span += 1
        return self._words[WORD * slot : WORD * (slot + 1)]
