"""Figures -> plain files per kind of load: a summary to read, and flat metrics for other programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from vivace.measure.figures import Figures, IngestFigures, Latency, QueryFigures
from vivace.report import wording
from vivace.report.quantity import compact, count, milliseconds, size, whole
from vivace.report.terminal import printable
from vivace.report.text_file import write_text

LEADER_COLUMNS: Final = 60
"""What a name and its dots take at most."""
TRENDS: Final = {"p50": "med", "p90": "p(90)", "p95": "p(95)", "p99": "p(99)", "p999": "p(99.9)", "max": "max"}
"""Percentiles of figures by the names that k6 gives them."""

Metrics = dict[str, float]


def write_files(figures: Figures, folder: Path) -> list[Path]:
    """Writes the log and the metrics of each kind of load that the run had."""
    written = []
    for kind, log, metrics in (
        ("ingestion", ingestion_log(figures), ingestion_metrics(figures)),
        ("query", query_log(figures), query_metrics(figures)),
    ):
        if log is not None:
            written.append(write_text(folder / f"{figures.profile}-{kind}.log", log))
            text = json.dumps(metrics, indent=1, allow_nan=False) + "\n"
            written.append(write_text(folder / f"{figures.profile}-{kind}-metrics.json", text))
    return written


def ingestion_metrics(figures: Figures) -> Metrics:
    """k6's names and those of its Tempo extension, then every figure of ingestion by its path."""
    ingest = figures.ingest
    if ingest is None:
        return {}
    metrics: Metrics = {
        "iterations": ingest.requests,
        "iterations.rate": ingest.requests / figures.duration_s,
        "data_sent": ingest.sent_bytes,
        "data_sent.rate": ingest.sent_bytes / figures.duration_s,
        "tempo_ingestion_bytes_total": ingest.sent_bytes,
        "tempo_ingestion_rate_bytes_per_sec": ingest.mb_per_s * 1e6,
        "tempo_ingestion_spans_total": ingest.acknowledged_spans,
        "tempo_ingestion_failures_total": sum(ingest.errors.values()),
    }
    metrics |= _trend("tempo_ingestion_duration_seconds", ingest.service_ms)
    metrics |= dict(flat(ingest, "ingest"))
    if figures.verification is not None:
        metrics |= dict(flat(figures.verification, "verification"))
    return metrics


def query_metrics(figures: Figures) -> Metrics:
    """k6's names and those of its Tempo extension, then every figure of queries by its path."""
    query = figures.query
    if query is None:
        return {}
    metrics: Metrics = {
        "iterations": query.sent,
        "iterations.rate": query.sent / figures.duration_s,
        "dropped_iterations": query.dropped,
        "tempo_query_requests_total": query.sent,
        "tempo_query_failures_total": query.failed,
    }
    return metrics | _trend("tempo_query_duration_seconds", query.service_ms) | dict(flat(query, "query"))


def flat(part: BaseModel | Mapping[str, object], path: str) -> Iterator[tuple[str, float]]:
    """Every number below a part of the figures by its path in `<profile>.json`."""
    values = part.model_dump() if isinstance(part, BaseModel) else part
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{path}.{name}")
        elif isinstance(value, int | float):
            yield f"{path}.{name}", value


def ingestion_log(figures: Figures) -> str | None:
    """The end of ingestion as text; None when nothing was sent."""
    return None if figures.ingest is None else _log(figures, "ingestion", _ingestion(figures, figures.ingest))


def query_log(figures: Figures) -> str | None:
    """The end of the queries as text; None when nothing was asked."""
    return None if figures.query is None else _log(figures, "queries", _queries(figures.query))


def _log(figures: Figures, kind: str, lines: Iterator[tuple[str, str]]) -> str:
    head = [
        f"{figures.profile}, {kind}: {figures.verdict or 'not judged'}",
        f"{wording.when(figures)}, {wording.duration(figures)}, target {wording.target(figures)}, seed {figures.seed}",
        wording.headline(figures),
        *(f"- {reason}" for reason in figures.reasons),
        *(f"caution: {warning}" for warning in figures.warnings),
    ]
    objectives = [
        f"  {wording.met(one):<12} {one.name}: {wording.measured(one)} (limit {wording.limit(one)})"
        for one in figures.objectives
    ]
    named = list(lines)
    columns = min(max(len(name) for name, _ in named) + 2, LEADER_COLUMNS)
    body = [f"  {f'{name} ':.<{columns}}: {said}" for name, said in named]
    parts = [*head, "", *objectives, "", *body]
    return "\n".join(printable(line, "utf-8") for line in parts) + "\n"


def _ingestion(figures: Figures, ingest: IngestFigures) -> Iterator[tuple[str, str]]:
    for name in ("offered", "dropped", "sent", "acknowledged", "rejected", "failed", "unknown"):
        yield f"spans_{name}", whole(getattr(ingest, f"{name}_spans"))
    yield "spans_per_s", compact(ingest.spans_per_s, "spans/s")
    yield "mb_per_s", count(ingest.mb_per_s, "MB/s")
    yield "data_sent", size(ingest.sent_bytes)
    yield "requests", whole(ingest.requests)
    yield "requests_late", whole(ingest.late_requests)
    for status, number in ingest.errors.items():
        yield f"requests_failed{{{status}}}", whole(number)
    yield from _latencies(response=ingest.response_ms, service=ingest.service_ms, lateness=ingest.late_ms)
    if (verification := figures.verification) is not None:
        for name in ("checked", "missing", "wrong", "unchecked"):
            yield f"traces_{name}", whole(getattr(verification, f"{name}_traces"))
        yield from _latencies(time_to_visible=verification.visible_ms)


def _queries(query: QueryFigures) -> Iterator[tuple[str, str]]:
    for name in ("offered", "dropped", "sent", "succeeded", "failed", "late"):
        yield f"queries_{name}", whole(getattr(query, name))
    yield "queries_per_s", count(query.queries_per_s, "queries/s")
    for cause, number in query.failures.items():
        yield f"queries_failed{{{cause}}}", whole(number)
    yield from _latencies(response=query.response_ms, service=query.service_ms, lateness=query.late_ms)
    for kind, groups in (("query", query.by_query), ("bucket", query.by_bucket)):
        for name, group in groups.items():
            yield from _latencies(**{f"response{{{kind}:{name}}}": group.response_ms})


def _latencies(**latencies: Latency | None) -> Iterator[tuple[str, str]]:
    for name, latency in latencies.items():
        if latency is not None:
            yield name, " ".join(f"{TRENDS[key]}={milliseconds(value)}" for key, value in latency)


def _trend(name: str, latency: Latency | None) -> Metrics:
    return {} if latency is None else {f"{name}.{TRENDS[key]}": value / 1000 for key, value in latency}
