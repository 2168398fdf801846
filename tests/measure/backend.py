"""A template, and a backend that has what was sent of it, for tests of probes."""

from __future__ import annotations

from pathlib import Path
from time import time_ns
from typing import Final

from google.protobuf.wrappers_pb2 import BytesValue
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from tests.measure.servers import Answer

from vivace.send.board import Acknowledged
from vivace.telemetry.generate import TraceSettings, generate_traces
from vivace.telemetry.identity import trace_ids
from vivace.telemetry.patch import sent_request
from vivace.telemetry.template import Template

SEED: Final = 7
T0_NS: Final = 1_800_000_000_000_000_000
NOT_FOUND: Final = Answer(status=404)
EMPTY: Final = Answer(body=b"\x12\x02\x08\x01")
"""A TraceByIDResponse with metrics alone."""


def make_template(folder: Path) -> Path:
    """Four requests of five small traces each."""
    generate_traces(TraceSettings(profile="small", traces=20, traces_per_request=5, seed=3), folder / "small")
    return folder / "small-traces.pb"


def stored(template: Path) -> dict[str, TracesData]:
    """Every trace of the template's first replay by its hex ID, as a backend would have it."""
    opened = Template.open(template)
    traces: dict[str, TracesData] = {}
    for number in range(len(opened)):
        sent = sent_request(opened, SEED, number, T0_NS)
        for trace_id in trace_ids(opened, SEED, number):
            traces[trace_id.hex()] = _only(TracesData.FromString(sent), trace_id)
    return traces


def _only(data: TracesData, trace_id: bytes) -> TracesData:
    for of_resource in data.resource_spans:
        for of_scope in of_resource.scope_spans:
            kept = [span for span in of_scope.spans if span.trace_id == trace_id]
            del of_scope.spans[:]
            of_scope.spans.extend(kept)
    return data


def response(trace: TracesData) -> Answer:
    """A TraceByIDResponse."""
    body = BytesValue(value=trace.SerializeToString()).SerializeToString()
    return Answer(body=body, headers={"Content-Type": "application/protobuf"})


def acknowledged(template: Path, *numbers: int) -> list[Acknowledged]:
    opened = Template.open(template)
    return [Acknowledged(number, number % len(opened), T0_NS, time_ns()) for number in numbers]
