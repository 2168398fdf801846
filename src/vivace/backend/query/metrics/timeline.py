"""The points in time that a metrics query is answered for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from vivace.backend.query.value import Rows

SECOND: Final = 1_000_000_000
_UNITS: Final = (3600 * SECOND, 300 * SECOND, 60 * SECOND, 15 * SECOND, 5 * SECOND, SECOND)
_POINTS: Final = 240
_SHORT: Final = 60 * SECOND
_LEAST: Final = SECOND // 20


@dataclass(frozen=True, slots=True)
class Timeline:
    """Buckets of `step_ns` that include their right edge, which is their time; `first` and `last` count in steps."""

    step_ns: int
    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1

    @property
    def start_ns(self) -> int:
        """The left edge of the first bucket, which is not part of it."""
        return (self.first - 1) * self.step_ns

    @property
    def end_ns(self) -> int:
        """The right edge of the last bucket, which is part of it."""
        return self.last * self.step_ns

    @property
    def milliseconds(self) -> list[int]:
        """The time of each bucket."""
        return [number * self.step_ns // 1_000_000 for number in range(self.first, self.last + 1)]

    def buckets(self, times: Rows) -> Rows:
        """The number of the bucket, counted in steps from the epoch, that each time falls into."""
        return -(-times // self.step_ns)


@dataclass(frozen=True, slots=True)
class Instant:
    """One bucket of any length; both edges are part of it."""

    start_ns: int
    end_ns: int
    first: int = 0

    def __len__(self) -> int:
        return 1

    @property
    def step_ns(self) -> int:
        """The length of the bucket."""
        return self.end_ns - self.start_ns

    @property
    def milliseconds(self) -> list[int]:
        """The time of the bucket."""
        return [self.end_ns // 1_000_000]

    def buckets(self, times: Rows) -> Rows:
        """0 within, -1 outside."""
        return np.where((times >= self.start_ns) & (times <= self.end_ns), 0, -1)


Times = Timeline | Instant


def timeline(start_ns: int, end_ns: int, step_ns: int) -> Timeline:
    """Whole steps around a window, and one more before it."""
    return Timeline(step_ns, start_ns // step_ns, -(-end_ns // step_ns))


def default_step(start_ns: int, end_ns: int) -> int:
    """A step that gives a few hundred points at most: a multiple of the largest usual unit that does not exceed it."""
    wanted = (end_ns - start_ns) // _POINTS
    if end_ns - start_ns < _SHORT:
        return max(_LEAST, wanted // _LEAST * _LEAST)
    unit = next((unit for unit in _UNITS if unit <= wanted), SECOND)
    return max(unit, wanted // unit * unit)
