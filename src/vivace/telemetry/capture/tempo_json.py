"""A trace as Tempo's API returns it: `{"batches": [...]}` of version 1, `{"trace": {"resourceSpans": [...]}}` of 2."""

from __future__ import annotations

from collections.abc import Iterator

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from vivace.telemetry.capture.json_message import reader
from vivace.telemetry.capture.otlp import Telemetry, traces_data
from vivace.telemetry.capture.refusal import Malformed


def accepts(document: object) -> bool:
    """Whether the document is of this format."""
    return isinstance(document, dict) and ("batches" in document or isinstance(document.get("trace"), dict))


def read(document: object) -> Iterator[Telemetry]:
    """Its spans. Raises Malformed."""
    traces = reader(TracesData.DESCRIPTOR)
    if isinstance(document, dict) and "trace" in document:
        try:
            yield traces_data(**traces(document["trace"]))
        except Malformed as error:
            raise error.within("trace") from error
    else:
        yield traces_data(**traces(document))
