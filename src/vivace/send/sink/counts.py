"""What a sink counts, in shared memory and as others see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from vivace.telemetry.template import Signal


class Counter(IntEnum):
    """In shared memory; each process of a sink has its own."""

    REQUESTS = 0
    BYTES = 1
    SPANS = 2
    POINTS = 3
    RECORDS = 4
    REFUSED = 5
    THROTTLED = 6
    PARTIAL = 7
    REJECTED = 8
    DROPPED = 9
    HUNG = 10
    DELAYED = 11
    MALFORMED = 12


COUNTERS: Final = len(Counter)
ITEMS: Final = {Signal.TRACES: Counter.SPANS, Signal.METRICS: Counter.POINTS, Signal.LOGS: Counter.RECORDS}
FAULTS: Final = (
    Counter.REFUSED,
    Counter.THROTTLED,
    Counter.PARTIAL,
    Counter.REJECTED,
    Counter.DROPPED,
    Counter.HUNG,
    Counter.DELAYED,
    Counter.MALFORMED,
)


@dataclass(frozen=True, slots=True)
class SinkCounts:
    """What has been taken since the start, and what has not. None: not counted."""

    requests: int
    """Taken, whole or but for some items."""
    bytes: int
    """Of their messages, as they were sent."""
    spans: int | None
    points: int | None
    records: int | None
    traces: int | None
    """Distinct trace IDs."""
    traces_exact: bool | None
    """Whether that is their number, not an estimate."""
    faults: Mapping[str, int]
    """Requests (REJECTED: items) by what befell them: refused, throttled, and so on; 0 where it never happened."""
