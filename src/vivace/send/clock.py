"""Unix time that never jumps: the monotonic clock, tied once to the system's."""

from __future__ import annotations

from time import monotonic_ns, time_ns
from typing import Final

READINGS: Final = 5
STEP_NS: Final = 10_000_000
"""A smaller difference may come from the reading itself."""


class Clock:
    """One anchor serves all processes of a machine, since they share the monotonic clock."""

    def __init__(self, anchor_ns: int | None = None) -> None:
        self.anchor_ns = _offset_ns() if anchor_ns is None else anchor_ns

    def now_ns(self) -> int:
        """Unix nanoseconds."""
        return monotonic_ns() + self.anchor_ns

    def step_ns(self) -> int:
        """How far the system's clock was set forward since the anchor; 0 when it was not."""
        step = _offset_ns() - self.anchor_ns
        return step if abs(step) >= STEP_NS else 0


def _offset_ns() -> int:
    """System clock minus monotonic clock, from the reading that was disturbed least."""
    readings = []
    for _ in range(READINGS):
        before, system, after = monotonic_ns(), time_ns(), monotonic_ns()
        readings.append((after - before, system - (before + after) // 2))
    return min(readings)[1]
