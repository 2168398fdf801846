"""What a schedule is to those who send and ask, and a rate to those who make schedules."""

from __future__ import annotations

from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Seconds: TypeAlias = npt.NDArray[np.float64]
"""After the start."""
Amounts: TypeAlias = npt.NDArray[np.float64]
"""Events, or events per second."""


class Schedule(Protocol):
    """Numbers events from 0 and says when each is due. Implementations are picklable values."""

    def due(self, first: int, count: int) -> Seconds:
        """When events first, first + 1, … (count of them) are due: seconds after the start, never decreasing.

        Infinite for events that never are.
        """
        ...

    def count(self, duration_s: float) -> int:
        """How many events are due in [0, duration_s)."""
        ...


class Rate(Protocol):
    """Events per second as a function of time; its integral numbers the events. Implementations are picklable."""

    @property
    def duration_s(self) -> float:
        """When it ends; may be infinite."""
        ...

    def per_second_at(self, seconds: Seconds) -> Amounts:
        """How many events per second there are at each time."""
        ...

    def events(self, seconds: Seconds) -> Amounts:
        """How many events there have been at each time: the integral from 0."""
        ...

    def at(self, events: Amounts) -> Seconds:
        """When so many events have been and the next begins; infinite beyond the last."""
        ...
