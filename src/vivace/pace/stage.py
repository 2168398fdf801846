"""The shapes that a rate can have for a while, each drawn as straight lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import ceil, cos, pi
from types import MappingProxyType
from typing import Final

from vivace.pace.stages import Knot

LINES_PER_WAVE: Final = 96
"""With so many a wave is nowhere off by more than 0.06 % of its height."""
DAY_S: Final = 86_400.0


class Shape(StrEnum):
    """What a stage looks like."""

    STEADY = "steady"
    RAMP = "ramp"
    STEPS = "steps"
    SPIKE = "spike"
    BURSTS = "bursts"
    DIURNAL = "diurnal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Events per second for a while. ValueError when it cannot be drawn."""

    shape: Shape
    low: float
    """Where it begins: not always the lower rate."""
    high: float
    for_s: float
    of_s: float | None = None
    """How long the high rate lasts, in a spike and in each burst."""
    every_s: float | None = None
    """From one burst, or one midnight, to the next."""
    steps: int | None = None

    def __post_init__(self) -> None:
        if self.for_s <= 0:
            raise ValueError("lasts no time")
        if self.every_s is not None and self.every_s <= 0:
            raise ValueError("repeats without end")
        if self.steps is not None and self.steps < 2:
            raise ValueError(f"has {self.steps} steps, must have 2 or more")
        longest = self.for_s if self.every_s is None else self.every_s
        if self.of_s is not None and not 0 < self.of_s < longest:
            raise ValueError(f"has {self.of_s:g} s of the high rate, must be above 0 and below {longest:g} s")

    def knots(self) -> Iterator[Knot]:
        """From 0 to for_s."""
        return _DRAWN[self.shape](self)


def _steady(stage: Stage) -> Iterator[Knot]:
    yield from ((0.0, stage.high), (stage.for_s, stage.high))


def _ramp(stage: Stage) -> Iterator[Knot]:
    yield from ((0.0, stage.low), (stage.for_s, stage.high))


def _steps(stage: Stage) -> Iterator[Knot]:
    steps = stage.steps or 2
    for step in range(steps):
        rate = stage.low + (stage.high - stage.low) * step / (steps - 1)
        yield from ((stage.for_s * step / steps, rate), (stage.for_s * (step + 1) / steps, rate))


def _spike(stage: Stage) -> Iterator[Knot]:
    """In the middle."""
    length = stage.of_s or stage.for_s / 10
    rise = (stage.for_s - length) / 2
    edges = (0.0, rise, rise + length, stage.for_s)
    for (start, stop), rate in zip(pairwise(edges), (stage.low, stage.high, stage.low), strict=True):
        yield from ((start, rate), (stop, rate))


def _bursts(stage: Stage) -> Iterator[Knot]:
    """Each period begins with its burst."""
    every = stage.every_s or stage.for_s
    length = stage.of_s or every / 10
    for period in range(ceil(stage.for_s / every)):
        start = period * every
        edges = (start, min(start + length, stage.for_s), min(start + every, stage.for_s))
        for (begin, end), rate in zip(pairwise(edges), (stage.high, stage.low), strict=True):
            yield from ((begin, rate), (end, rate))


def _diurnal(stage: Stage) -> Iterator[Knot]:
    """A wave: low at the start of each period, high in its middle."""
    every = stage.every_s or DAY_S
    lines = max(LINES_PER_WAVE, ceil(LINES_PER_WAVE * stage.for_s / every))
    for line in range(lines + 1):
        seconds = stage.for_s * line / lines
        yield seconds, stage.low + (stage.high - stage.low) * (1 - cos(2 * pi * seconds / every)) / 2


_DRAWN: Final[Mapping[Shape, Callable[[Stage], Iterator[Knot]]]] = MappingProxyType(
    {
        Shape.STEADY: _steady,
        Shape.RAMP: _ramp,
        Shape.STEPS: _steps,
        Shape.SPIKE: _spike,
        Shape.BURSTS: _bursts,
        Shape.DIURNAL: _diurnal,
    }
)
