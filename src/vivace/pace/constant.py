"""The same rate all the time."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite

import numpy as np

from vivace.errors import ConfigurationError
from vivace.pace.schedule import Amounts, Seconds


@dataclass(frozen=True, slots=True)
class ConstantRate:
    """A rate and its schedule: event n is due at n / per_second.

    due  |  · · · · · · · · ·   evenly spaced, the first at 0
         0─────────────────────> seconds
    """

    per_second: float

    def __post_init__(self) -> None:
        if not (isfinite(self.per_second) and self.per_second > 0):
            raise ConfigurationError(f"rate: {self.per_second} is not above zero; give events per second, such as 500")

    @property
    def duration_s(self) -> float:
        return inf

    def per_second_at(self, seconds: Seconds) -> Amounts:
        return np.full(seconds.shape, self.per_second)

    def events(self, seconds: Seconds) -> Amounts:
        return seconds * self.per_second

    def at(self, events: Amounts) -> Seconds:
        return events / self.per_second

    def due(self, first: int, count: int) -> Seconds:
        return self.at(np.arange(first, first + count, dtype=np.float64))

    def count(self, duration_s: float) -> int:
        near = max(0, round(duration_s * self.per_second))
        candidates = self.due(max(0, near - 1), 3)
        return max(0, near - 1) + int(np.searchsorted(candidates, duration_s, side="left"))
