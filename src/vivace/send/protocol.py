"""OTLP as this package sees it: raw bytes under three names, and the one answer worth reading."""

from __future__ import annotations

from typing import Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from vivace.telemetry.template import Signal

METHODS: Final = {
    Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
PATHS: Final = {signal: f"/v1/{signal}" for signal in Signal}
"""Over HTTP."""


def read_partial_success(response: bytes) -> tuple[int, str]:
    """How many items an answer refuses, and its words; (0, "") when it refuses nothing.

    The three signals' answers have the same fields. Raises ValueError when the bytes are not such an answer.
    """
    if not response:
        return 0, ""
    try:
        partial = ExportTraceServiceResponse.FromString(response).partial_success
    except DecodeError as error:
        raise ValueError("the answer is not an OTLP export response") from error
    return max(0, partial.rejected_spans), partial.error_message
