"""When requests and queries fall due: schedules, pure functions of an event's number.

An open model asks a schedule, never the target, when the next event is due.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vivace.errors import ConfigurationError

Seconds = npt.NDArray[np.float64]


class Schedule(Protocol):
    """Numbers events from 0 and says when each is due. Implementations are picklable values."""

    def due(self, first: int, count: int) -> Seconds:
        """When events first, first + 1, … (count of them) are due: seconds after the start, never decreasing."""
        ...

    def count(self, duration_s: float) -> int:
        """How many events are due in [0, duration_s)."""
        ...


@dataclass(frozen=True, slots=True)
class ConstantRate:
    """Event n is due at n / per_second.

    due  |  · · · · · · · · ·   evenly spaced, the first at 0
         0─────────────────────> seconds
    """

    per_second: float

    def __post_init__(self) -> None:
        if not (isfinite(self.per_second) and self.per_second > 0):
            raise ConfigurationError(f"rate: {self.per_second} is not above zero; give events per second, such as 500")

    def due(self, first: int, count: int) -> Seconds:
        return np.arange(first, first + count, dtype=np.float64) / self.per_second

    def count(self, duration_s: float) -> int:
        near = max(0, round(duration_s * self.per_second))
        candidates = self.due(max(0, near - 1), 3)
        return max(0, near - 1) + int(np.searchsorted(candidates, duration_s, side="left"))
