"""Writes templates: traces of a profile as OTLP bytes without present times, with their index and their metadata."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

from vivace.telemetry.slots import marked_words
from vivace.telemetry.template import Template


class TraceProfile(StrEnum):
    """How many spans a trace has."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"
    XLARGE = "xlarge"


SPANS = {
    TraceProfile.SMALL: (8, 15),
    TraceProfile.MEDIUM: (25, 40),
    TraceProfile.LARGE: (50, 80),
    TraceProfile.XLARGE: (100, 150),
}


@dataclass(frozen=True, slots=True)
class TraceSettings:
    profile: TraceProfile
    traces: int
    traces_per_request: int
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Metadata:
    path: Path
    spans: int


def generate_traces(settings: TraceSettings, prefix: Path) -> Metadata:
    draw = random.Random(settings.seed)
    low, high = SPANS[settings.profile]
    services = [f"service-{n}" for n in range(12)]
    out = bytearray()
    total = 0
    groups = range(0, settings.traces, settings.traces_per_request)
    for group, first in enumerate(groups):
        count = min(settings.traces_per_request, settings.traces - first)
        sizes = [draw.randint(low, high) for _ in range(count)]
        by_service: dict[str, list[Span]] = {}
        slot = 2 * count
        for trace, size in enumerate(sizes):
            trace_id = marked_words(group, [2 * trace, 2 * trace + 1]).tobytes()
            start, ids = 10**9 + draw.randrange(10**8) * (trace > 0), []
            for n in range(size):
                ids.append(marked_words(group, slot).tobytes())
                slot += 1
                span = Span(
                    trace_id=trace_id,
                    span_id=ids[-1],
                    name=f"operation-{draw.randrange(50)}",
                    kind=1 + n % 5,
                    start_time_unix_nano=start + n * 10**6,
                    end_time_unix_nano=start + (2 * size - n) * 10**6,
                    parent_span_id=ids[draw.randrange(n)] if n else b"",
                )
                for key in ("http.request.method", "http.route", "url.path", "server.address"):
                    span.attributes.append(
                        KeyValue(key=key, value=AnyValue(string_value=f"value-{draw.getrandbits(64):x}"))
                    )
                span.attributes.append(
                    KeyValue(key="http.response.status_code", value=AnyValue(int_value=draw.choice([200, 500])))
                )
                by_service.setdefault(draw.choice(services), []).append(span)
                total += 1
        for service, spans in sorted(by_service.items()):
            entry = ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])
            entry.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value=service)))
            out += TracesData(resource_spans=[entry]).SerializeToString()
    path = prefix.with_name(prefix.name + "-traces.pb")
    path.write_bytes(out)
    Template.open(path)
    return Metadata(path, total)
