"""What a worker shows its parent in shared memory: counters, response times, requests to probe, its journal."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from vivace.send.journal import Journal
from vivace.send.ring import Ring
from vivace.send.shared import Words

SAMPLES: Final = 64
RESPONSES: Final = 1024
UNSAVED: Final = 4096
"""Ended requests that the journal holds besides those in flight."""


class Count(IntEnum):
    """A worker's counters; the parent writes the first two, and the worker the others."""

    START_NS = 0  # Unix; 0 until all workers are ready
    STOP = 1  # a Stop
    READY = 2
    OFFERED = 3  # requests, sent or dropped
    OFFERED_ITEMS = 4
    DROPPED_ITEMS = 5
    SENT_ITEMS = 6
    ACKNOWLEDGED_ITEMS = 7
    REJECTED_ITEMS = 8
    FAILED_ITEMS = 9
    UNKNOWN_ITEMS = 10
    SENT_BYTES = 11
    IN_FLIGHT = 12
    VUS = 13
    CLOCK_STEP_NS = 14  # the farthest that was seen
    RETRIES = 15  # attempts after the first
    RETRIED_BYTES = 16
    ERRORS = 17  # requests that failed, or of which nobody knows
    DISORDERED = 18  # requests
    RATE = 19  # items per second that the adjustment allows; 0 without one
    RAISED = 20  # times that it did
    LOWERED = 21


class Stop(IntEnum):
    """What the parent wants."""

    NOT = 0
    GRACEFUL = 1  # nothing new is started, what is in flight may end
    AT_ONCE = 2


class Acknowledged(NamedTuple):
    """A request that was acknowledged whole; from it a probe computes the trace IDs."""

    number: int
    request: int
    """Which request of the template."""
    t0_ns: int
    acknowledged_ns: int


class Board:
    """A worker's shared memory, laid out."""

    def __init__(self, words: Words) -> None:
        samples = len(Count)
        responses = samples + Ring.size(SAMPLES, len(Acknowledged._fields))
        journal = responses + Ring.size(RESPONSES, 2)
        self.counts = words[:samples]
        self.samples = Ring(words[samples:responses], len(Acknowledged._fields))
        self.responses = Ring(words[responses:journal], 2)  # ended_ns, response_ns
        self.journal = Journal(words[journal:])

    @staticmethod
    def size(vus: int) -> int:
        """Words for a worker with so many requests in flight at most."""
        rings = Ring.size(SAMPLES, len(Acknowledged._fields)) + Ring.size(RESPONSES, 2)
        return len(Count) + rings + (vus + UNSAVED) * Journal.WIDTH
