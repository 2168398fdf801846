"""OTLP requests of every signal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from vivace.telemetry.template import Signal


def trace_request(spans: int, first: int = 0) -> bytes:
    """Each span is a trace of its own."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number in range(first, first + spans):
        scope.spans.add(trace_id=(number + 1).to_bytes(16, "big"), span_id=(number + 1).to_bytes(8, "big"), name="work")
    return request.SerializeToString()


def metric_request(points: int) -> bytes:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    for number in range(points):
        metric.sum.data_points.add(as_int=number)
    return request.SerializeToString()


def log_request(records: int) -> bytes:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for number in range(records):
        scope.log_records.add(severity_text="INFO", trace_id=(number + 1).to_bytes(16, "big"))
    return request.SerializeToString()


REQUESTS: Final[dict[Signal, Callable[[int], bytes]]] = {
    Signal.TRACES: trace_request,
    Signal.METRICS: metric_request,
    Signal.LOGS: log_request,
}
