"""The points in time that a metrics query is answered for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vivace.backend.query.value import Mask, Rows

SECOND: Final = 1_000_000_000
_UNITS: Final = (3600 * SECOND, 300 * SECOND, 60 * SECOND, 15 * SECOND, 5 * SECOND, SECOND)
_POINTS: Final = 240
_SHORT: Final = 60 * SECOND
_LEAST: Final = SECOND // 20
_FEW_STEPS: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Steps:
    """The step that each of some spans falls into, as a place in `number`, which counts steps from the epoch."""

    number: Rows
    offset: npt.NDArray[np.int32]

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return self.number.nbytes + self.offset.nbytes

    def at(self, rows: Rows | None) -> Steps:
        """The steps of some rows; None is all of them."""
        return self if rows is None else Steps(self.number, self.offset[rows])

    def within(self, mask: Mask) -> Steps:
        """The steps of the spans for which the mask is true."""
        return Steps(self.number, self.offset[mask])


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

    def steps(self, times: Rows) -> Steps:
        """The buckets that times fall into."""
        number = -(-times // self.step_ns)
        first, last = (int(number.min()), int(number.max())) if len(number) else (0, -1)
        if last - first <= max(len(number), _FEW_STEPS):
            return Steps(np.arange(first, last + 1), (number - first).astype(np.int32))
        distinct, offset = np.unique(number, return_inverse=True)
        return Steps(distinct, offset.astype(np.int32))


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

    def steps(self, times: Rows) -> Steps:
        """The one bucket, for times that it holds."""
        return Steps(np.zeros(1, np.int64), np.zeros(len(times), np.int32))

    def holds(self, times: Rows) -> Mask:
        """Which times are in the bucket."""
        return np.asarray((times >= self.start_ns) & (times <= self.end_ns))


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
