"""From a rate of events to when requests are due, each of which carries many events."""

from __future__ import annotations

from dataclasses import dataclass
from math import isinf

import numpy as np
import numpy.typing as npt

from vivace.pace.schedule import Amounts, Rate, Seconds


@dataclass(frozen=True, slots=True, eq=False)
class RequestSchedule:
    """A request is due when the events of all before it have been; the requests' sizes repeat without end."""

    rate: Rate
    items: npt.NDArray[np.int64]
    """Events of each request of one replay."""
    share: float = 1.0
    """Of the rate's events; the rest are carried by others."""

    def due(self, first: int, count: int) -> Seconds:
        return self.rate.at(self._before(np.arange(first, first + count)) / self.share)

    def count(self, duration_s: float) -> int:
        if isinf(duration_s) and isinf(self.rate.duration_s):
            raise ValueError("a rate without end has no count")
        end_s = np.array([min(duration_s, self.rate.duration_s)])
        events = float(self.rate.events(end_s)[0]) * self.share
        replays, rest = divmod(events, float(self._total))
        near = int(replays) * self.items.size + int(np.searchsorted(np.cumsum(self.items), rest))
        first = max(0, near - 2)
        due = self.due(first, 6)
        return first + int(np.searchsorted(due, min(duration_s, np.finfo(float).max), side="left"))

    @property
    def _total(self) -> int:
        return int(self.items.sum())

    def _before(self, numbers: npt.NDArray[np.int64]) -> Amounts:
        """Events of all requests before each."""
        replay, request = np.divmod(numbers, self.items.size)
        before = np.append(0, np.cumsum(self.items)[:-1])
        amounts: Amounts = (replay * self._total + before[request]).astype(np.float64)
        return amounts
