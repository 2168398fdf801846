"""Plain requests for tests that are not about the shape of telemetry."""

from __future__ import annotations

import random

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

SAMPLE_NS = 1_700_000_000 * 10**9
"""The time in sample requests, in Unix ns."""


def text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def number(key: str, value: int) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(int_value=value))


def request(seed: int, traces: int = 3, spans: int = 5) -> bytes:
    """An OTLP request of so many traces of so many spans; another seed gives other IDs."""
    randomness = random.Random(seed)  # noqa: S311 - not for secrets
    message = ExportTraceServiceRequest()
    resource_spans = message.resource_spans.add()
    resource_spans.resource.attributes.append(text("service.name", "shop"))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = "sample"
    for _ in range(traces):
        trace, parent = randomness.randbytes(16), b""
        for place in range(spans):
            start = SAMPLE_NS + 1000 * place
            span = scope_spans.spans.add(trace_id=trace, span_id=randomness.randbytes(8), parent_span_id=parent)
            span.name, span.start_time_unix_nano, span.end_time_unix_nano = f"step {place}", start, start + 500
            span.attributes.extend([number("place", place), text("user", f"u{randomness.randrange(9)}")])
            span.events.add(time_unix_nano=start + 1, name="seen").attributes.append(number("seed", seed))
            parent = span.span_id
    return message.SerializeToString()


def at(seed: int, time_ns: int) -> bytes:
    """A sample request of a time."""
    message = ExportTraceServiceRequest.FromString(request(seed))
    for span in message.resource_spans[0].scope_spans[0].spans:
        span.start_time_unix_nano += time_ns - SAMPLE_NS
        span.end_time_unix_nano += time_ns - SAMPLE_NS
    return message.SerializeToString()
