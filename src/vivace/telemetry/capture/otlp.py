"""What every reader gives: OTLP messages of the three signals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from vivace.telemetry.template import Signal

Telemetry: TypeAlias = TracesData | MetricsData | LogsData

traces_data: Final[Callable[..., TracesData]] = TracesData
"""Makes a message from arguments that are plain objects."""
MESSAGES: Final[dict[Signal, type[Telemetry]]] = {
    Signal.TRACES: TracesData,
    Signal.METRICS: MetricsData,
    Signal.LOGS: LogsData,
}
