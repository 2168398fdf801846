"""Logged queries -> the file of a load that asks the same at the same pace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from vivace.errors import ConfigurationError, OutputError, QueryError
from vivace.profile.document import LARGEST_BYTES
from vivace.query.kind import Kind
from vivace.query.record.access_log import LoggedQuery, read_line
from vivace.traceql.parser import parse
from vivace.units import format_duration

MOST_CONCURRENCY: Final = 100
USUAL_LIMIT: Final = 20


@dataclass(frozen=True, slots=True)
class Recording:
    """What has become of a log."""

    lines: int
    queries: int
    unusable: int
    """Queries whose TraceQL is not valid."""
    left_out: int
    """The last ones, for which the file has no room."""
    seconds: float
    """From the first query to the last."""


def record(log: Path, plan: Path, endpoint: str, factor: float = 1.0) -> Recording:
    """Writes the plan of a log; ConfigurationError when it holds no queries, OutputError when it cannot be written."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise ConfigurationError(f"--record {log}: cannot be read: {error.strerror}; name an access log") from error
    logged = sorted(filter(None, map(read_line, lines)), key=lambda query: query.time_s)
    usable = [query for query in logged if _valid(query)]
    if not usable:
        raise ConfigurationError(
            f"--record {log}: none of {len(lines)} lines holds a query with its time; name a log with request URLs"
        )
    text, kept = _fitting(usable, endpoint, factor)
    try:
        plan.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{plan}: cannot be written: {error.strerror}; choose another file") from error
    seconds = usable[kept - 1].time_s - usable[0].time_s
    return Recording(len(lines), kept, len(logged) - len(usable), len(usable) - kept, seconds)


def plan_text(queries: Sequence[LoggedQuery], endpoint: str, factor: float) -> str:
    """The file's YAML."""
    names = _names(queries)
    limits = Counter(query.limit for query in queries if query.limit is not None)
    head = {
        "tempo": {"queryEndpoint": endpoint},
        "query": {
            "model": "open",
            "totalConcurrency": MOST_CONCURRENCY,
            "targetQPS": 1.0,
            "limit": limits.most_common(1)[0][0] if limits else USUAL_LIMIT,
            "clickProbability": 0.0,
            "replayFactor": factor,
        },
        "queries": [_definition(query, name) for query, name in names.items()],
    }
    start_s = queries[0].time_s
    entries = [_entry(query, names[_asked(query)], start_s) for query in queries]
    return (
        yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=1000)
        + "executionPlan:\n"
        + "".join(f"  - {entry}\n" for entry in entries)
    )


def _fitting(queries: Sequence[LoggedQuery], endpoint: str, factor: float) -> tuple[str, int]:
    """The plan of as many of the first queries as a configuration may hold."""
    kept = len(queries)
    while True:
        text = plan_text(queries[:kept], endpoint, factor)
        if len(text.encode()) <= LARGEST_BYTES:
            return text, kept
        kept = max(1, int(kept * 0.95 * LARGEST_BYTES / len(text.encode())))


def _asked(query: LoggedQuery) -> LoggedQuery:
    """What is asked, whenever and over whatever window."""
    return LoggedQuery(0.0, query.kind, query.traceql, query.tag, query.trace_id, query.step_s)


def _names(queries: Iterable[LoggedQuery]) -> dict[LoggedQuery, str]:
    """A name for each different question: its kind and a number."""
    names: dict[LoggedQuery, str] = {}
    numbers: Counter[str] = Counter()
    for query in map(_asked, queries):
        if query not in names:
            numbers[query.kind.value] += 1
            names[query] = f"{query.kind.value}_{numbers[query.kind.value]}"
    return names


def _definition(query: LoggedQuery, name: str) -> dict[str, object]:
    definition: dict[str, object] = {"name": name, "kind": query.kind.value}
    if query.traceql:
        definition["traceql"] = query.traceql
    if query.tag:
        definition["tag"] = query.tag
    if query.trace_id is not None:
        definition["traceId"] = query.trace_id
    if query.step_s is not None:
        definition["step"] = format_duration(query.step_s)
    return definition


def _entry(query: LoggedQuery, name: str, start_s: float) -> str:
    at = f"queryName: {name}, at: {format_duration(round(query.time_s - start_s, 3))}"
    if query.ages is None:
        return f"{{{at}}}"
    ended, began = map(format_duration, query.ages)
    return f"{{{at}, ageStart: {ended}, ageEnd: {began}}}"


def _valid(query: LoggedQuery) -> bool:
    if query.kind in {Kind.TAGS, Kind.TRACE} or (query.kind is Kind.TAG_VALUES and not query.traceql):
        return True
    try:
        return parse(query.traceql).is_metrics == query.kind.is_metrics
    except QueryError:
        return False
