"""Lines of an access log -> the queries in them. Any line will do that holds a request's URL and a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from vivace.query.kind import Kind
from vivace.units import parse_duration

URL: Final = re.compile(
    r"/api/(?:v2/)?(?:search/tag/[^\s\"'/?]+/values|search/tags|search|traces/[0-9a-fA-F]{1,32}"
    r"|metrics/query_range|metrics/query)(?=[\s?\"'\\]|$)(?:\?[^\s\"'<>]*)?"
)
RFC_3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
COMMON: Final = re.compile(r"[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}")
EPOCH: Final = re.compile(r"(?:^|[\s\":=])([0-9]{10}\.[0-9]{1,6})(?=[\s\",}]|$)")
NANOSECONDS: Final = 10**17
"""Times from here on are not in seconds."""


@dataclass(frozen=True, slots=True)
class LoggedQuery:
    """A request as a log tells of it."""

    time_s: float
    """Unix."""
    kind: Kind
    traceql: str = ""
    tag: str = ""
    trace_id: str | None = None
    step_s: float | None = None
    limit: int | None = None
    ages: tuple[float, float] | None = None
    """How long ago its window ended and began, in seconds; None without a window."""


def read_lines(lines: Iterable[str]) -> Iterator[LoggedQuery]:
    """The queries, in the order of the lines; lines that hold none are passed over."""
    for line in lines:
        query = read_line(line)
        if query is not None:
            yield query


def read_line(line: str) -> LoggedQuery | None:
    """The query in a line; None when it holds no request of the query API, or no time."""
    text = line.replace("\\u0026", "&").replace("\\/", "/")
    url = URL.search(text)
    if url is None:
        return None
    time_s = _time(text[: url.start()] + " " + text[url.end() :])
    return None if time_s is None else _query(url[0], time_s)


def _time(text: str) -> float | None:
    if (found := RFC_3339.search(text)) is not None:
        written = found[0].replace(",", ".").replace("Z", "+00:00")
        whole = re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", written)
        moment = datetime.fromisoformat(whole if re.search(r"[+-][0-9]{2}:?[0-9]{2}$", whole) else f"{whole}+00:00")
        return moment.timestamp()
    if (found := COMMON.search(text)) is not None:
        return datetime.strptime(found[0], "%d/%b/%Y:%H:%M:%S %z").timestamp()
    found = EPOCH.search(text)
    return None if found is None else float(found[1])


def _query(url: str, time_s: float) -> LoggedQuery | None:
    parts = urlsplit(url)
    given = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    path = parts.path.removeprefix("/api/").removeprefix("v2/").split("/")
    ages, traceql = _ages(given, time_s), given.get("q") or given.get("query") or ""
    match path:
        case ["traces", trace_id]:
            return LoggedQuery(time_s, Kind.TRACE, trace_id=trace_id.lower())
        case ["search", "tags"]:
            return LoggedQuery(time_s, Kind.TAGS, ages=ages)
        case ["search", "tag", tag, "values"]:
            return LoggedQuery(time_s, Kind.TAG_VALUES, traceql, unquote(tag), ages=ages)
        case ["metrics", "query_range"]:
            return LoggedQuery(time_s, Kind.METRICS_RANGE, traceql, step_s=_step(given.get("step")), ages=ages)
        case ["metrics", "query"]:
            return LoggedQuery(time_s, Kind.METRICS_INSTANT, traceql, ages=ages)
        case _:
            limit = given.get("limit", "")
            return LoggedQuery(
                time_s, Kind.SEARCH, traceql or "{ }", limit=int(limit) if limit.isdigit() else None, ages=ages
            )


def _ages(given: dict[str, str], time_s: float) -> tuple[float, float] | None:
    """Whole seconds; a window that reaches into the future ends now."""
    if "since" in given:
        length = _duration(given["since"])
        return None if length is None else (0.0, length)
    start, end = (_moment(given.get(name, "")) for name in ("start", "end"))
    if start is None or end is None or end <= start or start >= time_s:
        return None
    ended = max(0.0, float(round(time_s - end)))
    return ended, max(ended + 1.0, float(round(time_s - start)))


def _moment(text: str) -> float | None:
    """Unix seconds of seconds, nanoseconds, or a time as RFC 3339 has it."""
    try:
        number = float(text)
    except ValueError:
        return _time(text)
    return number / 1e9 if number >= NANOSECONDS else number


def _step(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return _duration(text or "")


def _duration(text: str) -> float | None:
    try:
        return parse_duration(text) or None
    except ValueError:
        return None
