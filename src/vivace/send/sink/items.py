"""What is in a request: how many spans, data points or log records, and which traces."""

from __future__ import annotations

import json
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from vivace.errors import TemplateError
from vivace.send.sink.members import Extent, members
from vivace.telemetry.arrays import Bytes, Words
from vivace.telemetry.template import Signal
from vivace.telemetry.wire import METRIC, TRACE_ID, Message, scan

ITEMS: Final = (1, 2, 2)
"""Field numbers from a request to its spans, metrics or log records: resources, scopes, items."""
DATA: Final = tuple(METRIC.fields)
"""A metric's field numbers of its data, each of which holds points in its first field."""


def _traced_items(trace_id: int) -> Message:
    """Items whose trace ID is in that field."""
    item = Message({trace_id: ("trace_id", TRACE_ID)})
    return Message({1: ("resources", Message({2: ("scopes", Message({2: ("items", item)}))}))})


SPANS: Final = _traced_items(1)
RECORDS: Final = _traced_items(9)
FIRST_TRACE_ID: Final = 0x100A
"""Tag and length of a span's trace ID, where it comes first, as nearly every encoder has it; little-endian."""
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
    data = bytes(request)
    items = members(data, ITEMS, (0, len(data)))
    if signal is Signal.METRICS:
        return Content(_points(data, items), NO_TRACES)
    if not traces or not items:
        return Content(len(items), NO_TRACES)
    payload = np.frombuffer(data, np.uint8)
    if signal is Signal.TRACES:
        start = np.array([start for start, _ in items])
        if start[-1] + 18 <= payload.size and (_words(payload, start, np.uint16) == FIRST_TRACE_ID).all():
            return Content(len(items), _ids(payload, start + 2))
    return Content(len(items), _read_ids(payload, SPANS if signal is Signal.TRACES else RECORDS))


def _points(data: bytes, metrics: list[Extent]) -> int:
    return sum(len(members(data, (number, 1), metric)) for metric in metrics for number in DATA)


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


def _read_ids(payload: Bytes, table: Message) -> Words:
    """From items whose first field is something else, so that they have to be read."""
    try:
        places = scan(payload, table, "request")["items"].leaves["trace_id"]
    except TemplateError as error:
        raise ValueError(str(error)) from error
    return _ids(payload, places[places >= 0])


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
