"""OTLP in JSON: an export request, or a line as the Collector's file exporter writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from vivace.telemetry.capture.json_message import reader
from vivace.telemetry.capture.otlp import MESSAGES, Telemetry
from vivace.telemetry.template import Signal

ROOTS: Final = {
    "resourceSpans": Signal.TRACES,
    "resource_spans": Signal.TRACES,
    "resourceMetrics": Signal.METRICS,
    "resource_metrics": Signal.METRICS,
    "resourceLogs": Signal.LOGS,
    "resource_logs": Signal.LOGS,
}


def accepts(document: object) -> bool:
    """Whether the document is of this format."""
    return isinstance(document, dict) and not ROOTS.keys().isdisjoint(document)


def read(document: object) -> Iterator[Telemetry]:
    """Its messages, one for each signal. Raises Malformed."""
    signals = {ROOTS[key] for key in document if key in ROOTS} if isinstance(document, dict) else set()
    for signal in sorted(signals):
        kind = MESSAGES[signal]
        make: Callable[..., Telemetry] = kind
        yield make(**reader(kind.DESCRIPTOR)(document))
