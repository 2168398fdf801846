"""Numbers as people read them: thousands separated, few digits, always a unit; the same words in every report."""

from __future__ import annotations

from math import floor, log10
from typing import Final

SPACE: Final = "\u00a0"
"""Between a number and its unit, so that no line breaks there."""

NOTHING: Final = "\N{EN DASH}"
"""Where there is nothing to show."""

PREFIXES: Final = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def digits(value: float, significant: int = 3) -> str:
    """The number to so many significant digits, never fewer than its whole digits: 1,234 · 12.3 · 0.0457."""
    rounded = float(f"{value:.{significant}g}")
    if rounded == 0:
        return "0"
    decimals = significant - 1 - floor(log10(abs(rounded)) + 1e-9)
    return f"{value:,.{max(decimals, 0)}f}"


def whole(value: float) -> str:
    """All digits of a count: 12,345,678."""
    return f"{value:,.0f}"


def compact(value: float, unit: str = "") -> str:
    """Three digits and a prefix: 1.24 M spans/s; a unit of a single letter follows its prefix at once: 1.24 MB."""
    scale, prefix = next(((scale, prefix) for scale, prefix in PREFIXES if abs(value) >= scale * 0.9995), (1, ""))
    joint = "" if len(unit) == 1 or not prefix else SPACE
    return f"{digits(value / scale)}{SPACE}{prefix}{joint}{unit}".rstrip(SPACE)


def count(value: float, unit: str = "") -> str:
    """A count that is exact below ten thousand and compact above."""
    if value == int(value) and abs(value) < 10_000:
        return f"{whole(value)}{SPACE}{unit}".rstrip(SPACE)
    return f"{digits(value)}{SPACE}{unit}".rstrip(SPACE) if abs(value) < 10_000 else compact(value, unit)


def milliseconds(value: float) -> str:
    """Milliseconds below a second, seconds below two minutes, minutes above."""
    if abs(value) < 999.5:
        return f"{digits(value)}{SPACE}ms"
    if abs(value) < 120_000:
        return f"{digits(value / 1000)}{SPACE}s"
    return f"{digits(value / 60_000)}{SPACE}min"


def size(value: float) -> str:
    """Bytes with a decimal prefix: 1.2 GB."""
    return compact(value, "B")


def percent(value: float) -> str:
    """A percentage, 0 to 100; one below 100 never reads as 100 %, nor one above 0 as 0 %."""
    text = f"{value:.{3 if 99.9 < value < 100 else 2}f}".rstrip("0").rstrip(".")
    if text == "100" and value < 100:
        text = "99.999"
    if text == "0" and value > 0:
        text = "0.01"
    return f"{text}{SPACE}%"


def quantity(value: float, unit: str) -> str:
    """A value in the way of its unit: percentages, times, sizes and counts."""
    if unit == "%":
        return percent(value)
    if unit == "ms":
        return milliseconds(value)
    if unit == "s":
        return milliseconds(value * 1000)
    if unit in ("B", "bytes"):
        return size(value)
    return count(value, unit)


def clock(seconds: float) -> str:
    """Time since the start: 0:05, 12:30, 1:02:30; with a decimal where a second is not whole."""
    total = round(seconds, 1)
    minutes, rest = divmod(total, 60)
    hours, minutes = divmod(int(minutes), 60)
    second = f"{rest:02.0f}" if rest == int(rest) else f"{rest:04.1f}"
    return f"{hours}:{minutes:02d}:{second}" if hours else f"{minutes}:{second}"
