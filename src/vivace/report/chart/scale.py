"""Where a number lies on an axis, and which round numbers are written beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Final

from vivace.report.quantity import clock

STEPS_S: Final = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
LOGARITHMIC_FROM: Final = 40.0
"""Highest over lowest value from which a linear axis would press the low ones flat."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A place from 0 to 1 and what is written there; a minor one is left out where there is little room."""

    place: float
    text: str
    minor: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values from `low` to `high` onto 0 to 1."""

    low: float
    high: float
    ticks: tuple[Tick, ...]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where a value lies; what is outside lies on the nearer end."""
        if self.logarithmic:
            share = log10(max(value, self.low) / self.low) / log10(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return min(max(share, 0.0), 1.0)


def linear(values: Iterable[float], text: Callable[[float], str]) -> Scale:
    """From zero to a round number just above the highest value, with four to six ticks."""
    highest = max(values, default=0.0)
    return _stepped(highest, _round_step(highest / 4 if highest > 0 else 0.25), text)


def counting(values: Iterable[float], text: Callable[[float], str]) -> Scale:
    """As `linear`, with whole numbers at all ticks."""
    highest = max(values, default=0.0)
    return _stepped(highest, max(1.0, _round_step(highest / 4, (1, 2, 5, 10))) if highest > 0 else 1.0, text)


def logarithmic(values: Sequence[float], text: Callable[[float], str]) -> Scale:
    """Between the 1-2-5 numbers around the positive values; ticks at whole decades, or at 1-2-5 where those are few."""
    positive = [value for value in values if value > 0]
    bounds = [bound for decade in range(-9, 16) for bound in (10.0**decade, 2 * 10.0**decade, 5 * 10.0**decade)]
    low = max(bound for bound in bounds if bound <= min(positive) * (1 + 1e-9))
    high = min(bound for bound in bounds if bound >= max(*positive, low * 9.9) * (1 - 1e-9))
    inside = [bound for bound in bounds if low * (1 - 1e-9) <= bound <= high * (1 + 1e-9)]
    if len(inside) > 7:
        inside = [bound for bound in inside if abs(log10(bound) - round(log10(bound))) < 1e-6]
    scale = Scale(low, high, (), logarithmic=True)
    return Scale(low, high, tuple(Tick(scale.place(bound), short(text(bound))) for bound in inside), logarithmic=True)


def fitting(values: Sequence[float], text: Callable[[float], str]) -> Scale:
    """Linear from zero, or logarithmic where the values lie decades apart."""
    positive = [value for value in values if value > 0]
    if positive and max(positive) / min(positive) > LOGARITHMIC_FROM:
        return logarithmic(positive, text)
    return linear(values, text)


def elapsed(span_s: float) -> tuple[Tick, ...]:
    """Ticks along a run of so many seconds; every second one is minor."""
    step = next((step for step in STEPS_S if span_s / step <= 10), span_s / 10)
    return tuple(
        Tick(n * step / span_s, clock(n * step), minor=n % 2 == 1) for n in range(floor(span_s / step + 1e-9) + 1)
    )


def short(text: str) -> str:
    """A number without the zeros that end its decimals."""
    return re.sub(r"(\.\d*?)0+(?!\d)", lambda found: found[1].rstrip("."), text)


def _stepped(highest: float, step: float, text: Callable[[float], str]) -> Scale:
    steps = max(ceil(highest / step - 1e-9), 1)
    ticks = tuple(Tick(n / steps, short(text(n * step))) for n in range(steps + 1))
    return Scale(0.0, steps * step, ticks)


def _round_step(least: float, factors: Sequence[float] = (1, 2, 2.5, 5, 10)) -> float:
    decade = 10.0 ** floor(log10(least))
    return next(factor * decade for factor in factors if factor * decade >= least * (1 - 1e-9))
