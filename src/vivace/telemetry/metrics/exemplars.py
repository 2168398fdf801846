"""Examples of what histograms recorded, each of which refers to a span."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from vivace.telemetry.arrays import Numbers, Words
from vivace.telemetry.correlation import TracePool
from vivace.telemetry.encode import encode, fixed_bytes, listed
from vivace.telemetry.metrics.distribution import Distribution
from vivace.telemetry.slots import OWN_GROUPS, marked_words

AGE_NS: Final = 5_000_000_000
"""An example is at most so old when it is collected."""


@dataclass(frozen=True, slots=True)
class ExemplarSource:
    """Draws exemplars; without traces they refer to spans that nobody sends."""

    traces: TracePool | None
    percentage: float

    def lists(
        self,
        recorded: Distribution,
        time: Numbers,
        request: Numbers,
        requests: int,
        random: np.random.Generator,
    ) -> pa.ListArray:
        """The exemplars of each histogram of a batch: none or one, measured shortly before `time`.

        `request` is that of each histogram, one of `requests` that the whole template is going to have.
        """
        rows = np.flatnonzero(random.random(request.size) * 100 < self.percentage)
        chosen = recorded.rows(rows)
        share = chosen.edge + random.random(rows.size) * (1 - 2 * chosen.edge)
        trace, span = self._spans(request[rows], requests)
        columns = {
            "time_unix_nano": pa.array((time[rows] - random.integers(AGE_NS, size=rows.size)).astype(np.uint64)),
            "as_double": pa.array(chosen.quantile(share)),
            "trace_id": fixed_bytes(trace),
            "span_id": fixed_bytes(span),
        }
        present = np.zeros(request.size, np.int64)
        present[rows] = 1
        return listed(present, encode("Exemplar", columns))

    def _spans(self, request: Numbers, requests: int) -> tuple[Words, Words]:
        """A span for each exemplar: words of trace IDs and of span IDs."""
        if self.traces is None or not request.size:
            number = np.arange(request.size) - np.searchsorted(request, request)
            return _own(request, number)
        first, stop = int(request[0]), int(request[-1]) + 1
        begin = first * len(self.traces) // requests
        end = max(begin + 1, -(-stop * len(self.traces) // requests))
        spans = self.traces.sample(begin, end, 2 * request.size)
        place = np.arange(request.size) * len(spans) // request.size
        return spans.trace[place], spans.span[place, None]


def _own(request: Numbers, number: Numbers) -> tuple[Words, Words]:
    """IDs that no template of traces has: exemplar n of a request has the words 4n to 4n + 2 of a group of its own."""
    group = OWN_GROUPS + request
    trace = np.stack([marked_words(group, 4 * number), marked_words(group, 4 * number + 1)], axis=1)
    return trace, marked_words(group, 4 * number + 2)[:, None]
