"""OTLP in protobuf; which of the three signals a message holds is told by its first span, metric or log record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from google.protobuf.message import DecodeError

from vivace.telemetry.capture.otlp import MESSAGES, Telemetry
from vivace.telemetry.capture.refusal import Malformed
from vivace.telemetry.capture.wire_fields import fields
from vivace.telemetry.template import Signal

ENTRIES: Final = 0x0A
SCOPES: Final = 0x12
ITEMS: Final = 0x12
"""Tags on the way to a span, a metric or a log record: fields 1, 2 and 2, the same for the three signals."""
TIMES_OF_SPANS: Final = frozenset({0x39, 0x41})
"""Tags of fields 7 and 8 with 8 bytes: start and end."""
TIMES_OF_LOGS: Final = frozenset({0x09, 0x59, 0x10})
"""Tags of fields 1 and 11 with 8 bytes, and of 2 as a varint: time, observed time, severity."""
DATA_OF_METRICS: Final = frozenset({0x2A, 0x3A, 0x4A, 0x52, 0x5A})
"""Tags of fields 5, 7, 9, 10 and 11 with a length: gauge, sum, histogram, exponential histogram, summary."""
NAME: Final = 0x0A


def read(message: bytes) -> Iterator[Telemetry]:
    """The message with its signal's type, nothing when it holds no span, metric or log record. Raises Malformed."""
    signal = _signal(memoryview(message))
    kind = MESSAGES[signal or Signal.TRACES]
    try:
        telemetry = kind.FromString(message)
    except DecodeError as error:
        raise Malformed(f"is not OTLP: {error}") from error
    if signal is not None:
        yield telemetry


def _signal(message: memoryview) -> Signal | None:
    for entry in _each(message, ENTRIES):
        for scope in _each(entry, SCOPES):
            for item in _each(scope, ITEMS):
                return _signal_of({tag for tag, _ in fields(item)})
    return None


def _each(message: memoryview, wanted: int) -> Iterator[memoryview]:
    return (content for tag, content in fields(message) if tag == wanted)


def _signal_of(tags: set[int]) -> Signal:
    """A span without times, which no backend could hold, still has two IDs, and no data of a metric."""
    if tags & TIMES_OF_SPANS:
        return Signal.TRACES
    if tags & TIMES_OF_LOGS:
        return Signal.LOGS
    if NAME not in tags:
        return Signal.LOGS
    return Signal.METRICS if tags & DATA_OF_METRICS else Signal.TRACES
