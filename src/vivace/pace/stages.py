r"""A rate that changes with time: straight lines between knots, on which every shape is drawn.

rate |      /----|   /\      two knots at one time make a jump;
     |    /      |__/  \     events are the area below, found and
     0──────────────────> s  inverted exactly, piece by piece
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from math import inf, isfinite

import numpy as np

from vivace.errors import ConfigurationError
from vivace.pace.schedule import Amounts, Seconds

MOST_KNOTS = 1_000_000
Knot = tuple[float, float]
"""Seconds, and events per second."""


@dataclass(frozen=True, slots=True, eq=False)
class Stages:
    """A rate and its schedule, over when the last knot is reached. ConfigurationError for what is no rate."""

    knots: tuple[Knot, ...]
    _start: Seconds = field(init=False, repr=False)
    _length: Seconds = field(init=False, repr=False)
    _rate: Amounts = field(init=False, repr=False)
    _slope: Amounts = field(init=False, repr=False)
    _before: Amounts = field(init=False, repr=False)
    """Events before each piece, and all of them."""

    def __post_init__(self) -> None:
        self._check()
        times, rates = np.array(self.knots, np.float64).T
        kept = np.flatnonzero(np.diff(times) > 0)
        length = times[kept + 1] - times[kept]
        pieces = {
            "_start": times[kept],
            "_length": length,
            "_rate": rates[kept],
            "_slope": (rates[kept + 1] - rates[kept]) / length,
            "_before": np.append(0.0, np.cumsum((rates[kept] + rates[kept + 1]) / 2 * length)),
        }
        for name, values in pieces.items():
            object.__setattr__(self, name, values)
        if not self._before[-1] > 0:
            raise ConfigurationError("schedule: nothing is ever due; give a rate above zero")

    @classmethod
    def joined(cls, stages: Iterable[Iterable[Knot]]) -> Stages:
        """One after the other; the times of each count from its own start."""
        knots: list[Knot] = []
        for stage in stages:
            start = knots[-1][0] if knots else 0.0
            knots += islice(((start + seconds, rate) for seconds, rate in stage), MOST_KNOTS)
            if len(knots) >= MOST_KNOTS:
                raise ConfigurationError("schedule: changes too often; give fewer bursts or steps, or a shorter time")
        return cls(tuple(knots))

    @property
    def duration_s(self) -> float:
        return self.knots[-1][0]

    def per_second_at(self, seconds: Seconds) -> Amounts:
        piece = self._piece(self._start, seconds)
        there = self._rate[piece] + self._slope[piece] * (seconds - self._start[piece])
        return np.where((seconds < 0) | (seconds >= self.duration_s), 0.0, np.maximum(there, 0.0))

    def events(self, seconds: Seconds) -> Amounts:
        piece = self._piece(self._start, seconds)
        into = np.clip(seconds - self._start[piece], 0.0, self._length[piece])
        return self._before[piece] + into * (self._rate[piece] + self._slope[piece] * into / 2)

    def at(self, events: Amounts) -> Seconds:
        piece = self._piece(self._before[:-1], events)
        rate, into = self._rate[piece], events - self._before[piece]
        root = np.sqrt(np.maximum(rate * rate + 2 * self._slope[piece] * into, 0.0))
        # The quadratic's solution in the form that loses no digits where the line is nearly flat.
        seconds = np.divide(2 * into, rate + root, out=np.zeros_like(into), where=(into > 0) & (rate + root > 0))
        return np.where(
            events < self._before[-1], self._start[piece] + np.minimum(seconds, self._length[piece]), np.inf
        )

    def due(self, first: int, count: int) -> Seconds:
        return self.at(np.arange(first, first + count, dtype=np.float64))

    def count(self, duration_s: float) -> int:
        near = round(float(self.events(np.array([min(duration_s, self.duration_s)]))[0]))
        candidates = self.due(max(0, near - 2), 5)
        return max(0, near - 2) + int(np.searchsorted(candidates, min(duration_s, np.finfo(float).max), side="left"))

    @staticmethod
    def _piece(starts: Seconds, values: Seconds) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        """The last piece that starts at or before each value: where nothing is due, the next one with a rate."""
        return np.maximum(np.searchsorted(starts, values, side="right") - 1, 0)

    def _check(self) -> None:
        previous = 0.0
        for seconds, rate in self.knots:
            if not (isfinite(rate) and rate >= 0):
                raise ConfigurationError(f"schedule: {rate} events/s is no rate; give zero or more")
            if not previous <= seconds < inf:
                raise ConfigurationError(f"schedule: {seconds} s does not come after {previous} s; give times that do")
            previous = seconds
        if previous <= 0:
            raise ConfigurationError("schedule: takes no time; give a duration")
