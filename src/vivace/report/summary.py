"""Figures -> the end of a run on one screen of the terminal: verdict, why, and the figures that matter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import Final

from rich.console import Console
from rich.text import Text

from vivace.measure.figures import Figures, IngestFigures, Latency, Objective, QueryFigures, VerificationFigures
from vivace.report import wording
from vivace.report.quantity import NOTHING, compact, count, digits, milliseconds, percent, whole
from vivace.report.terminal import printable

COLUMNS: Final = 80
NAME_COLUMNS: Final = 12
MOST_REASON_LINES: Final = 4
LINES: Final = 24
STYLES: Final = {"PASS": "bold white on green", "FAIL": "bold white on red", "INVALID": "bold black on yellow"}

Line = tuple[str, str]
"""A name, given on the first line of its group, and what is to be said."""


def print_summary(figures: Figures, report: Path | None = None, console: Console | None = None) -> None:
    """Prints at most 24 lines of at most 80 columns; `report` is the run's folder, and its path stays whole."""
    console = console or Console()
    for line in summary(figures, report):
        text = Text(printable(line.plain, console.encoding), spans=line.spans)
        console.print(text, soft_wrap=True)


def summary(figures: Figures, report: Path | None = None) -> list[Text]:
    """The lines of the summary."""
    head = [_head(figures), *_why(figures), Text()]
    body = [_line(name, _fitting(said)) for name, said in _body(figures)]
    if report is not None:
        dashboard = report / f"{figures.profile}-dashboard.html"
        body.append(_line("Report", str(dashboard if dashboard.exists() else report)))
    return [*head, *_objectives(figures, LINES - len(head) - len(body)), *body]


def _head(figures: Figures) -> Text:
    verdict = figures.verdict or "NOT JUDGED"
    facts = f"  {figures.profile} · {wording.duration(figures)} · {wording.target(figures)}"
    head = Text.assemble((f" {verdict} ", STYLES.get(verdict, "bold reverse")), (facts, "bold"))
    head.truncate(COLUMNS, overflow="ellipsis")
    return head


def _why(figures: Figures) -> list[Text]:
    """The meaning of the verdict, and its reasons on a few lines."""
    lines = [Text(wording.headline(figures))]
    told = [part for reason in figures.reasons for part in wrap(f"- {reason}", COLUMNS, subsequent_indent="  ")]
    if len(told) > MOST_REASON_LINES:
        told = [*told[: MOST_REASON_LINES - 1], "  … the report has all of them"]
    return lines + [Text(line) for line in told]


def _line(name: str, said: str) -> Text:
    return Text.assemble((f"{name:<{NAME_COLUMNS}}", "bold" if name else ""), said)


def _body(figures: Figures) -> Iterator[Line]:
    if figures.ingest is not None:
        yield from _ingest(figures.ingest)
    if figures.verification is not None:
        yield "Visible", _visible(figures.verification)
    if figures.query is not None:
        yield from _query(figures.query)
    yield from _trust(figures)


def _objectives(figures: Figures, room: int) -> list[Text]:
    """Missed ones first; as many as there is room for."""
    ordered = sorted(figures.objectives, key=lambda objective: objective.met is not False)
    said = [_fitting(_objective(objective)) for objective in ordered]
    if len(said) > room:
        said = [*said[: room - 1], f"… and {len(said) - room + 1} more"]
    return [_line("" if number else "Objectives", text) for number, text in enumerate(said)]


def _objective(objective: Objective) -> str:
    mark = {True: "✓", False: "✕", None: NOTHING}[objective.met]
    return f"{mark} {objective.name}: {wording.measured(objective)} (limit {wording.limit(objective)})"


def _ingest(ingest: IngestFigures) -> Iterator[Line]:
    offered = f"{whole(ingest.offered_spans)} offered = {whole(ingest.sent_spans)} sent"
    yield "Spans", f"{offered} + {whole(ingest.dropped_spans)} dropped"
    parts = (
        (ingest.acknowledged_spans, "acknowledged"),
        (ingest.rejected_spans, "rejected"),
        (ingest.failed_spans, "failed"),
        (ingest.unknown_spans, "unknown"),
    )
    exact = " + ".join(f"{whole(number)} {name}" for number, name in parts)
    short = " + ".join(f"{count(number)} {name}" for number, name in parts)
    yield "  sent =", exact if len(exact) <= COLUMNS - NAME_COLUMNS else short
    yield "Throughput", f"{compact(ingest.spans_per_s, 'spans/s')}, {count(ingest.mb_per_s, 'MB/s')} acknowledged"
    if ingest.response_ms is not None:
        yield "Response", f"{_latency(ingest.response_ms)} (from when due)"
    if ingest.service_ms is not None:
        yield "Service", f"{_latency(ingest.service_ms)} (from when sent)"


def _visible(verification: VerificationFigures) -> str:
    checked = f"{whole(verification.checked_traces)} traces read back"
    wrong = f"{whole(verification.missing_traces)} missing, {whole(verification.wrong_traces)} wrong"
    visible = verification.visible_ms
    soon = "" if visible is None else f"; p50 {milliseconds(visible.p50)}, p99 {milliseconds(visible.p99)}"
    return f"{checked}, {wrong}{soon}"


def _query(query: QueryFigures) -> Iterator[Line]:
    yield "Queries", f"{whole(query.offered)} offered = {whole(query.sent)} sent + {whole(query.dropped)} dropped"
    rate = count(query.queries_per_s, "queries/s")
    yield "  sent =", f"{whole(query.succeeded)} succeeded + {whole(query.failed)} failed; {rate}"
    if query.response_ms is not None:
        yield "", _latency(query.response_ms)


def _trust(figures: Figures) -> Iterator[Line]:
    target = figures.resources.target if figures.resources else None
    if target is not None and target.cpu_seconds_per_million_spans is not None:
        yield "Target", f"{digits(target.cpu_seconds_per_million_spans)} CPU s per million spans"
    if figures.ceiling is not None and figures.ingest is not None and figures.ceiling.spans_per_s:
        share = 100 * figures.ingest.offered_spans / figures.duration_s / figures.ceiling.spans_per_s
        ceiling = compact(figures.ceiling.spans_per_s, "spans/s")
        yield "Generator", f"{percent(round(share, 1))} of the {ceiling} that it can send"
    for number, warning in enumerate(figures.warnings[:2]):
        yield "" if number else "Caution", warning


def _latency(latency: Latency) -> str:
    shown = (("p50", latency.p50), ("p95", latency.p95), ("p99", latency.p99), ("max", latency.max))
    return ", ".join(f"{name} {milliseconds(value)}" for name, value in shown)


def _fitting(said: str) -> str:
    room = COLUMNS - NAME_COLUMNS
    return said if len(said) <= room else f"{said[: room - 1]}…"
