"""What is in a request: how many spans, data points or log records, and which traces."""

from __future__ import annotations

import json
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from vivace.errors import TemplateError
from vivace.telemetry.arrays import Bytes, Words
from vivace.telemetry.template import Signal
from vivace.telemetry.wire import METRIC, TRACE_ID, Message, scan

NOTHING: Final = Message({})
SPANS: Final = Message({1: ("resources", Message({2: ("scopes", Message({2: ("items", NOTHING)}))}))})
SPANS_TRACES: Final = Message(
    {1: ("resources", Message({2: ("scopes", Message({2: ("items", Message({1: ("trace_id", TRACE_ID)}))}))}))}
)
RECORDS_TRACES: Final = Message(
    {1: ("resources", Message({2: ("scopes", Message({2: ("items", Message({9: ("trace_id", TRACE_ID)}))}))}))}
)
KINDS: Final = {number: name for number, (name, _) in METRIC.fields.items()}
POINTS: Final = Message(
    {
        1: (
            "resources",
            Message(
                {
                    2: (
                        "scopes",
                        Message(
                            {
                                2: (
                                    "metrics",
                                    Message(
                                        {
                                            number: (name, Message({1: (f"{name}_points", NOTHING)}))
                                            for number, name in KINDS.items()
                                        }
                                    ),
                                )
                            }
                        ),
                    )
                }
            ),
        )
    }
)
FIRST_TRACE_ID: Final = 0x100A
"""Tag and length of a span's trace ID, where it comes first, as a little-endian number."""
NO_TRACES: Final = np.zeros((0, 2), np.uint64)
JSON_LISTS: Final = {
    Signal.TRACES: ("resourceSpans", "scopeSpans", "spans"),
    Signal.METRICS: ("resourceMetrics", "scopeMetrics", "metrics"),
    Signal.LOGS: ("resourceLogs", "scopeLogs", "logRecords"),
}
JSON_DATA: Final = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")


class Content(NamedTuple):
    """What a request holds."""

    items: int
    traces: Words
    """Rows of two words, an ID for each item that has one; none when they were not asked for."""


def content_of(request: bytes | bytearray, signal: Signal, traces: bool) -> Content:
    """Of an OTLP message; ValueError when it is none."""
    payload = np.frombuffer(request, np.uint8)
    try:
        match signal:
            case Signal.METRICS:
                found = scan(payload, POINTS, "request")
                return Content(sum(found[f"{name}_points"].start.size for name in KINDS.values()), NO_TRACES)
            case Signal.LOGS:
                return _traced(payload, RECORDS_TRACES) if traces else _untraced(payload)
        return _spans(payload) if traces else _untraced(payload)
    except TemplateError as error:
        raise ValueError(str(error)) from error


def json_content_of(request: bytes | bytearray, signal: Signal, traces: bool) -> Content:
    """Of an OTLP/JSON document; ValueError when it is none."""
    outer, middle, inner = JSON_LISTS[signal]
    try:
        items = [
            item
            for resource in json.loads(request).get(outer, ())
            for scope in resource.get(middle, ())
            for item in scope.get(inner, ())
        ]
        if signal is Signal.METRICS:
            points = sum(len(metric.get(kind, {}).get("dataPoints", ())) for metric in items for kind in JSON_DATA)
            return Content(points, NO_TRACES)
        named = [bytes.fromhex(item["traceId"]) for item in items if item.get("traceId")] if traces else []
    except (AttributeError, TypeError, KeyError) as error:
        raise ValueError(f"request: not OTLP/JSON: {error}") from error
    return Content(len(items), np.frombuffer(b"".join(named), np.uint64).reshape(-1, 2))


def _untraced(payload: Bytes) -> Content:
    return Content(scan(payload, SPANS, "request")["items"].start.size, NO_TRACES)


def _spans(payload: Bytes) -> Content:
    """Nearly every encoder writes the trace ID first, so that the spans need not be read."""
    start = scan(payload, SPANS, "request")["items"].start
    if not start.size:
        return Content(0, NO_TRACES)
    if payload.size < start[-1] + 18 or (_words(payload, start, np.uint16) != FIRST_TRACE_ID).any():
        return _traced(payload, SPANS_TRACES)
    return Content(start.size, _ids(payload, start + 2))


def _traced(payload: Bytes, table: Message) -> Content:
    items = scan(payload, table, "request")["items"]
    places = items.leaves["trace_id"]
    return Content(places.size, _ids(payload, places[places >= 0]))


def _ids(payload: Bytes, places: npt.NDArray[np.int64]) -> Words:
    return np.stack([_words(payload, places, np.uint64), _words(payload, places + 8, np.uint64)], axis=1)


def _words(
    payload: Bytes, places: npt.NDArray[np.int64], kind: type[np.uint16 | np.uint64]
) -> npt.NDArray[np.uint16 | np.uint64]:
    """The little-endian numbers at these places."""
    size = np.dtype(kind).itemsize
    if payload.size < size:
        return np.zeros(0, kind)
    view = np.ndarray((payload.size - size + 1,), kind, payload.data, strides=(1,))
    return view[places]
