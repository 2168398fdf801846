"""A template to send."""

from __future__ import annotations

from pathlib import Path

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

REQUESTS = 20


def write_template(folder: Path, traces: int = 2, spans: int = 10) -> Path:
    """Twenty requests of so many traces each, every trace with so many spans (and one more in every second request)."""
    data = TracesData()
    for request in range(REQUESTS):
        scope = data.resource_spans.add().scope_spans.add()
        for trace in range(traces):
            trace_id = (1 + request * traces + trace).to_bytes(16, "big")
            for span in range(spans + request % 2):
                scope.spans.add(
                    trace_id=trace_id,
                    span_id=(1 + (request * traces + trace) * 1000 + span).to_bytes(8, "big"),
                    name=f"span {span}",
                    start_time_unix_nano=1_000_000_000 + span * 1000,
                    end_time_unix_nano=1_002_000_000 + span * 1000,
                )
    path = folder / "template-traces.pb"
    path.write_bytes(data.SerializeToString())
    return path
