"""A schedule that was recorded: events fall due as they once did, again and again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vivace.errors import ConfigurationError
from vivace.pace import Seconds


@dataclass(frozen=True, slots=True)
class Recorded:
    """Event n is due `times[n]` seconds after the start, and after the last the first follows as soon as the mean gap
    has passed; all of it `factor` times as quick.

    due  |  ··  ·    ··· ·   ··  ·    ··· ·
         0─────────────────────────────────> seconds
    """

    times: tuple[float, ...]
    factor: float = 1.0

    def __post_init__(self) -> None:
        steps = np.diff(np.array(self.times, dtype=np.float64), prepend=0.0)
        if not self.times or not np.isfinite(steps).all() or (steps < 0).any():
            raise ConfigurationError("recorded times: not a list that never decreases from 0; order them by time")
        if not 0 < self.factor < float("inf"):
            raise ConfigurationError(f"replay factor: {self.factor} is not above zero; give 1 for the recorded pace")

    @property
    def period_s(self) -> float:
        """After which it begins again, at the recorded pace; never zero."""
        gaps = max(1, len(self.times) - 1)
        return self.times[-1] + max((self.times[-1] - self.times[0]) / gaps, 1e-3)

    def due(self, first: int, count: int) -> Seconds:
        rounds, places = np.divmod(np.arange(first, first + count), len(self.times))
        return (np.array(self.times, dtype=np.float64)[places] + rounds * self.period_s) / self.factor

    def count(self, duration_s: float) -> int:
        recorded_s = duration_s * self.factor
        rounds = max(0, int(recorded_s // self.period_s) - 1)
        first = rounds * len(self.times)
        near = self.due(first, 3 * len(self.times))
        return first + int(np.searchsorted(near, duration_s, side="left"))
