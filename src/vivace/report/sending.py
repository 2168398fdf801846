"""Figures of a send of its own -> the end of it on a screen: what was sent of each signal, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vivace.measure.figures import Figures, IngestFigures
from vivace.report import wording
from vivace.report.quantity import compact, count, milliseconds, whole

ITEMS = {"traces": "spans", "metrics": "data points", "logs": "log records"}


def sending_summary(figures: Figures, folder: Path) -> Iterator[str]:
    """The lines, the verdict first."""
    yield f"{figures.verdict}: {figures.profile}, {wording.duration(figures)}, to {wording.target(figures)}"
    yield from (f"  - {reason}" for reason in figures.reasons)
    signals = figures.signals or ({"traces": figures.ingest} if figures.ingest else {})
    for signal, ingest in signals.items():
        yield from _signal(signal, ingest)
    if figures.adjustment is not None:
        adjusted = figures.adjustment
        yield (
            f"  Rate adjusted to the target: {compact(adjusted.last, 'events/s')} in the end, "
            f"raised {adjusted.raised} times, lowered {adjusted.lowered} times"
        )
    yield from (f"  Note: {warning}" for warning in figures.warnings)
    yield f"  Report: {folder}"


def _signal(signal: str, ingest: IngestFigures) -> Iterator[str]:
    rates = f"{compact(ingest.spans_per_s, f'{ITEMS[signal]}/s')}, {count(ingest.mb_per_s, 'MB/s')}"
    offered, dropped, sent = (whole(spans) for spans in (ingest.offered_spans, ingest.dropped_spans, ingest.sent_spans))
    yield f"  {signal.capitalize()}: {rates}; {offered} offered = {dropped} dropped + {sent} sent"
    yield (
        f"    sent = {whole(ingest.acknowledged_spans)} acknowledged + {whole(ingest.rejected_spans)} rejected + "
        f"{whole(ingest.failed_spans)} failed + {whole(ingest.unknown_spans)} unknown"
    )
    if ingest.response_ms is not None:
        yield f"    response p50 {milliseconds(ingest.response_ms.p50)}, p99 {milliseconds(ingest.response_ms.p99)}"
    if ingest.attempts is not None and ingest.attempts > ingest.requests:
        yield (
            f"    {whole(ingest.attempts)} attempts for {whole(ingest.requests)} requests, "
            f"{ingest.retry_amplification:.2f} times the bytes"
        )
    if ingest.disorder:
        kinds = ", ".join(f"{whole(number)} {kind}" for kind, number in ingest.disorder.items())
        yield f"    in disorder on purpose, of {whole(ingest.requests)} requests: {kinds}"
    if ingest.errors:
        statuses = ", ".join(f"{whole(number)} {status}" for status, number in ingest.errors.items())
        yield f"    not acknowledged: {statuses}"
