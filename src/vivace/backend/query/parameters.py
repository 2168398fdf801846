"""Parameters of HTTP requests, checked as Tempo checks them; every message is the text of a 400."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from vivace.errors import QueryError
from vivace.traceql import literals
from vivace.traceql.text import duration_text

MAX_LIMIT: Final = 262_144
MAX_SPANS: Final = 100
DEFAULT_LIMIT: Final = 20
DEFAULT_SPANS: Final = 3
SECOND: Final = 1_000_000_000

HOUR: Final = 3600 * SECOND
MAX_METRICS_RANGE: Final = 24 * HOUR
MAX_INTERVALS: Final = 10_000

_LONGEST_SECONDS: Final = 11
_LONGEST_NUMBER: Final = 18
"""Digits of a number that 64 bits surely hold."""
_LONGEST_EXCERPT: Final = 80
_LAST_NS: Final = (1 << 63) - 1
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_HEXADECIMAL: Final = re.compile(r"[0-9a-fA-F]*")
_TAG: Final = re.compile(r"""\s*([^\s="]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?=\s|$)""")


@dataclass(frozen=True, slots=True)
class Window:
    """Unix nanoseconds; None is open."""

    start_ns: int | None = None
    end_ns: int | None = None


@dataclass(frozen=True, slots=True)
class SearchParameters:
    """What GET /api/search asks for: a query, or tags and durations."""

    query: str
    tags: Mapping[str, str]
    shortest_ns: int
    longest_ns: int
    limit: int
    spans: int
    window: Window


def search_parameters(
    given: Mapping[str, str], now_ns: int, longest_ns: int = 0, tags: Mapping[str, str] | None = None
) -> SearchParameters:
    """The parameters of a search. QueryError when one of them is wrong. `since` looks back from now.

    `longest_ns` bounds the window, when there is one; 0 does not. `tags` are those that are not given as text.
    """
    query, tags_text = given.get("q", ""), given.get("tags", "")
    if query and (tags or tags_text):
        raise QueryError("invalid request: can't specify tags and q in the same query")
    shortest, longest = (_duration(given, name) for name in ("minDuration", "maxDuration"))
    if longest and longest <= shortest:
        raise QueryError("invalid maxDuration: must be greater than minDuration")
    since = _duration(given, "since")
    window = Window(now_ns - since, now_ns) if since else search_window(given)
    _bound(window, longest_ns)
    pairs = _tags(tags_text) if tags is None else tags
    return SearchParameters(query, pairs, shortest, longest, _limit(given), _spans(given), window)


def search_window(given: Mapping[str, str]) -> Window:
    """`start` and `end` in whole Unix seconds, both or neither."""
    start, end = (_unsigned(given, name) for name in ("start", "end"))
    if start is None and end is None:
        return Window()
    if start is None or end is None:
        raise QueryError("error parsing date range: only one of start and end provided: must provide both or neither")
    if end <= start:
        raise QueryError(f"http parameter start must be before end. received start={start} end={end}")
    return Window(start * SECOND, end * SECOND)


def _bound(window: Window, longest_ns: int) -> None:
    if window.start_ns is None or window.end_ns is None or not longest_ns:
        return
    if window.end_ns - window.start_ns > longest_ns:
        raise QueryError(
            f"range specified by start and end exceeds {duration_text(longest_ns)}."
            f" received start={window.start_ns // SECOND} end={window.end_ns // SECOND}"
        )


@dataclass(frozen=True, slots=True)
class MetricsParameters:
    """What the metrics endpoints ask for; 0 for the step, series or exemplars leaves the choice to the backend."""

    query: str
    start_ns: int
    end_ns: int
    step_ns: int
    series: int = 0
    exemplars: int = 0
    instant: bool = False
    """Whether the window is one bucket, whatever the step."""


def metrics_parameters(given: Mapping[str, str], now_ns: int, longest_ns: int = MAX_METRICS_RANGE) -> MetricsParameters:
    """The parameters of a metrics query. Without start and end it looks back from now, `since` or an hour.

    `longest_ns` bounds the window; 0 does not.
    """
    query = given.get("q") or given.get("query") or ""
    end = _instant(given, "end", now_ns)
    start = _instant(given, "start", end - (_duration(given, "since") or HOUR))
    if end <= start:
        raise QueryError("end must be greater than start")
    if longest_ns and end - start > longest_ns:
        allowed = duration_text(longest_ns)
        raise QueryError(f"metrics query time range exceeds the maximum allowed duration of {allowed}")
    step = _step(given.get("step", ""))
    least = -(-(end - start) // MAX_INTERVALS)
    if 0 < step < least:
        raise QueryError(
            f"step of {duration_text(step)} is too small, minimum step for given range is {duration_text(least)}"
        )
    series, exemplars = (whole_number(given.get(name) or "0", name) for name in ("maxSeries", "exemplars"))
    return MetricsParameters(query, start, end, step, series, exemplars, flag(given, "instant"))


def tag_limit(given: Mapping[str, str]) -> int:
    """How many tags or values are wanted at most; 0 is all."""
    return whole_number(given["limit"], "limit") if given.get("limit") else 0


def _instant(given: Mapping[str, str], name: str, default: int) -> int:
    """Unix seconds, whole or not, Unix nanoseconds, or a time as RFC 3339 has it."""
    text = given.get(name)
    if not text:
        return default
    try:
        instant = _nanoseconds(text)
    except (ValueError, OverflowError):
        instant = -1
    if not 0 <= instant <= _LAST_NS:
        raise QueryError(f"could not parse '{name}' parameter: invalid {name}: {text[:_LONGEST_EXCERPT]}")
    return instant


def _nanoseconds(text: str) -> int:
    if _NUMBER.fullmatch(text):
        return int(text) if len(text) > _LONGEST_SECONDS and text.isdigit() else round(float(text) * SECOND)
    moment = datetime.fromisoformat(text)
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(zoned.timestamp() * 1_000_000) * 1_000


def _step(text: str) -> int:
    """Seconds as a number, or a duration."""
    if not text:
        return 0
    amount = text.removeprefix("-")
    try:
        step = round(float(amount) * SECOND) if _NUMBER.fullmatch(amount) else literals.duration(amount)
    except (ValueError, OverflowError):
        raise QueryError(f'cannot parse "{text[:_LONGEST_EXCERPT]}" to a valid duration') from None
    if not 0 < step <= _LAST_NS or text.startswith("-"):
        raise QueryError(f'cannot parse "{text[:_LONGEST_EXCERPT]}": step must be positive')
    return step


def trace_id(text: str) -> int:
    """The number that a trace ID in hexadecimal stands for; short ones are filled with zeros on the left."""
    digits = _HEXADECIMAL.match(text)
    position = digits.end() if digits else 0
    if position < len(text):
        wrong = f"invalid character '{text[position]}' at position {position + 1}"
        raise QueryError(f"trace IDs can only contain hex characters: {wrong}")
    if len(text.lstrip("0")) > 32:
        raise QueryError("trace IDs can't be larger than 128 bits")
    return int(text or "0", 16)


def flag(given: Mapping[str, str], name: str) -> bool:
    """A parameter that is true or false, as Go writes it; what is not given is false."""
    text = given.get(name) or "false"
    if text not in _TRUE and text not in _FALSE:
        raise QueryError(f'invalid {name}: strconv.ParseBool: parsing "{text[:_LONGEST_EXCERPT]}": invalid syntax')
    return text in _TRUE


def depth(given: Mapping[str, str], name: str, default: int) -> int:
    """How many levels of a trace; -1 is all."""
    text = given.get(name)
    if not text or text == "-1":
        return -1 if text else default
    return whole_number(text, name)


def whole_number(text: str, name: str) -> int:
    """A parameter that is a number without sign or fraction."""
    if not text.isascii() or not text.isdigit():
        raise QueryError(f'invalid {name}: strconv.ParseUint: parsing "{text}": invalid syntax')
    if len(text) > _LONGEST_NUMBER:
        raise QueryError(f"invalid {name}: strconv.ParseUint: value out of range")
    return int(text)


def _unsigned(given: Mapping[str, str], name: str) -> int | None:
    text = given.get(name)
    if not text:
        return None
    return min(whole_number(text, name), _LAST_NS // SECOND) or None


def _limit(given: Mapping[str, str]) -> int:
    if not given.get("limit"):
        return DEFAULT_LIMIT
    limit = whole_number(given["limit"], "limit")
    if limit <= 0:
        raise QueryError("invalid limit: must be a positive number")
    if limit > MAX_LIMIT:
        raise QueryError(f"limit {limit} exceeds max limit {MAX_LIMIT}")
    return limit


def _spans(given: Mapping[str, str]) -> int:
    if not given.get("spss"):
        return DEFAULT_SPANS
    spans = whole_number(given["spss"], "spss")
    if not 0 < spans <= MAX_SPANS:
        raise QueryError(f"spans per span set exceeds {MAX_SPANS}. received {spans}")
    return spans


def _duration(given: Mapping[str, str], name: str) -> int:
    text = given.get(name)
    if not text:
        return 0
    try:
        return literals.duration(text)
    except ValueError:
        raise QueryError(f'invalid {name}: time: invalid duration "{text}"') from None


def _tags(text: str) -> Mapping[str, str]:
    """Pairs in logfmt: `key=value`, `key="value with spaces"`."""
    found: dict[str, str] = {}
    position = 0
    while text[position:].strip():
        pair = _TAG.match(text, position)
        if pair is None:
            raise QueryError(f"invalid tags: unexpected text at position {position + 1}: {text[position:].strip()}")
        value = pair[2]
        found[pair[1]] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        position = pair.end()
    return found
