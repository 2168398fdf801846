"""How a query load stands, in memory that the asking process and its parent share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from vivace.send.ring import Ring
from vivace.send.shared import Words

RECENT_NS: Final = 5_000_000_000
RESPONSES: Final = 1024
ACKNOWLEDGED: Final = 1024


class Count(IntEnum):
    """The counters; the first two are written by the parent."""

    START_NS = 0  # Unix; 0 until the process is ready
    STOP = 1
    READY = 2
    OFFERED = 3
    DROPPED = 4
    SENT = 5
    SUCCEEDED = 6
    FAILED = 7
    VUS = 8
    CLOCK_STEP_NS = 9


@dataclass(frozen=True, slots=True)
class QueryProgress:
    """Counts of searches and opened traces since the start."""

    offered: int
    dropped: int
    sent: int
    succeeded: int
    failed: int
    in_flight: int
    vus: int
    response_p50_ms: float | None
    """From when a query was due to its end, over the last seconds; None when none ended."""
    response_p99_ms: float | None
    clock_step_s: float | None
    """The farthest that the system's clock was set during the load; None when it was not."""
    done: bool


class Board:
    """The shared memory, laid out."""

    SIZE: Final = len(Count) + Ring.size(RESPONSES, 2) + Ring.size(ACKNOWLEDGED, 2)

    def __init__(self, words: Words) -> None:
        responses = len(Count) + Ring.size(RESPONSES, 2)
        self.counts = words[: len(Count)]
        self.responses = Ring(words[len(Count) : responses], 2)  # ended_ns, response_ns
        self.acknowledged = Ring(words[responses:], 2)  # request, t0_ns; written by the parent

    def progress(self, now_ns: int, done: bool) -> QueryProgress:
        """How it stands now."""
        counts = self.counts
        recent = [
            response_ns / 1e6 for ended_ns, response_ns in self.responses.since(0)[1] if ended_ns > now_ns - RECENT_NS
        ]
        p50, p99 = np.percentile(recent, [50, 99]).tolist() if recent else (None, None)
        step_ns = counts[Count.CLOCK_STEP_NS]
        return QueryProgress(
            offered=counts[Count.OFFERED],
            dropped=counts[Count.DROPPED],
            sent=counts[Count.SENT],
            succeeded=counts[Count.SUCCEEDED],
            failed=counts[Count.FAILED],
            in_flight=0 if done else counts[Count.SENT] - counts[Count.SUCCEEDED] - counts[Count.FAILED],
            vus=counts[Count.VUS],
            response_p50_ms=p50,
            response_p99_ms=p99,
            clock_step_s=step_ns / 1e9 if step_ns else None,
            done=done,
        )
