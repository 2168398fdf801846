"""Durations, sizes, counts and rates: what people write ("5m", "1.2MB", "10k/s") <-> numbers.

Writing is short and exact to four digits, durations to the nanosecond; whatever is written can be read again.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

_NUMBER: Final = r"[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18}"
_QUANTITY: Final = re.compile(rf"({_NUMBER}|[0-9](?:\.[0-9]{{1,18}})?[eE][+-]?[0-9]{{1,2}})\s*([A-Za-zµ]*)")
_DURATION_PART: Final = re.compile(rf"({_NUMBER})([a-zµμ]+)")
_DURATION: Final = re.compile(rf"(?:(?:{_NUMBER})[a-zµμ]+)+")

_NANOSECONDS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_DECIMAL: Final = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_BINARY: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}
_PER: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def parse_duration(text: str) -> float:
    """Seconds of "250ms", "1.5s", "5m" or "1h30m"; zero may stand without a unit."""
    stripped = text.strip()
    if stripped == "0":
        return 0.0
    if not _DURATION.fullmatch(stripped):
        raise ValueError(f'"{text}" is not a duration such as 250ms, 1.5s, 5m or 1h30m')
    total = Fraction(0)
    for number, unit in _DURATION_PART.findall(stripped):
        if unit not in _NANOSECONDS:
            raise ValueError(f'"{text}" has the unknown unit "{unit}"; durations have ns, us, ms, s, m, h or d')
        total += Fraction(number) * _NANOSECONDS[unit]
    return float(total / 10**9)


def format_duration(seconds: float) -> str:
    """The shortest text that parse_duration reads as the same number of nanoseconds: "1h30m", "1.5s", "250ms"."""
    nanoseconds = _nanoseconds(seconds)
    if nanoseconds < 10**9:
        unit = next((unit for unit in ("ms", "us") if nanoseconds >= _NANOSECONDS[unit]), "ns")
        return _decimal(Fraction(nanoseconds, _NANOSECONDS[unit])) + unit if nanoseconds else "0s"
    hours, rest = divmod(nanoseconds, _NANOSECONDS["h"])
    minutes, rest = divmod(rest, _NANOSECONDS["m"])
    parts = [(f"{hours}h", hours), (f"{minutes}m", minutes), (_decimal(Fraction(rest, 10**9)) + "s", rest)]
    return "".join(text for text, amount in parts if amount)


def parse_size(text: str) -> int:
    """Bytes of "1.2MB" (1,200,000), "64MiB" (67,108,864), "8Gi" or "512B"; rounded to a whole byte."""
    return round(_scaled(text, text, "a size such as 512B, 1.2MB or 64MiB"))


def format_size(size: float) -> str:
    """Bytes as "1.2MB", to four digits."""
    return _prefixed(size) + "B"


def parse_count(text: str) -> float:
    """The number that "10k", "1.5M" or "250" says."""
    return _scaled(text, text, "a number such as 250, 10k or 1.5M")


def format_count(count: float) -> str:
    """A number as "10k" or "1.5M", to four digits."""
    return _prefixed(count)


def parse_rate(text: str) -> float:
    """Per second of "10k/s", "600/m" or "1.2MB/s"; without a "/" the number counts per second."""
    amount, slash, per = text.partition("/")
    unit = per.strip()
    if slash and unit not in _PER:
        raise ValueError(f'"{text}" is per "{unit}"; rates are per s, m, h or d, such as 10k/s')
    return _scaled(amount, text, "a rate such as 250/s, 10k/s or 600/m") / _PER[unit or "s"]


def format_rate(per_second: float) -> str:
    """A rate as "10k/s", to four digits."""
    return _prefixed(per_second) + "/s"


def _scaled(amount: str, text: str, expected: str) -> float:
    match = _QUANTITY.fullmatch(amount.strip())
    if not match:
        raise ValueError(f'"{text}" is not {expected}')
    number, unit = match.groups()
    factor = (_DECIMAL | _BINARY).get(unit.removesuffix("B"))
    if factor is None:
        raise ValueError(f'"{text}" has the unknown unit "{unit}"; give {expected}')
    return float(Fraction(number) * factor)


def _nanoseconds(seconds: float) -> int:
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{seconds} is not a duration")
    return round(Fraction(seconds) * 10**9)


def _decimal(value: Fraction) -> str:
    whole, rest = divmod(round(value * 10**9), 10**9)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".")


def _prefixed(value: float) -> str:
    if not 0 <= value < float("inf"):
        raise ValueError(f"{value} is not an amount")
    rounded = float(f"{value:.4g}")
    prefix = max((p for p, factor in _DECIMAL.items() if p != "K" and factor <= rounded), key=_DECIMAL.get, default="")  # type: ignore[arg-type]
    return f"{rounded / _DECIMAL[prefix]:.4f}".rstrip("0").rstrip(".") + prefix
