"""Captures of every format, and what becomes of them when their template is replayed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, TracesData

from vivace.telemetry.capture.capture import CaptureReport, templates_from
from vivace.telemetry.capture.settings import CaptureSettings
from vivace.telemetry.patch import sent_request
from vivace.telemetry.template import Signal, Template

CAPTURES = Path(__file__).parents[2] / "testdata" / "captures"
EVERY_JSON = ("otlp.json", "otlp.jsonl", "tempo-v1.json", "tempo-v2.json", "jaeger.json", "zipkin.json")
SENT_NS = 1_800_000_000_000_000_000
DEFAULTS = CaptureSettings()


@dataclass(frozen=True)
class Seen:
    """A span as a receiver sees it."""

    service: str
    scope: str
    span: Span

    @property
    def attributes(self) -> dict[str, object]:
        return values(self.span.attributes)


def imported(capture: Path, folder: Path, settings: CaptureSettings = DEFAULTS) -> CaptureReport:
    return templates_from(capture, folder / "import", settings)


def replayed(report: CaptureReport, seed: int = 7, round_number: int = 0) -> list[TracesData]:
    """All requests of the imported traces, as a sender sends them in one round of the replay."""
    template = Template.open(report.templates[Signal.TRACES])
    first = round_number * len(template)
    return [
        TracesData.FromString(sent_request(template, seed, first + number, SENT_NS)) for number in range(len(template))
    ]


def seen(messages: Iterable[TracesData]) -> Iterator[Seen]:
    for message in messages:
        for entry in message.resource_spans:
            service = str(values(entry.resource.attributes).get("service.name", ""))
            for scope in entry.scope_spans:
                for span in scope.spans:
                    yield Seen(service, scope.scope.name, span)


def by_name(messages: Iterable[TracesData]) -> dict[str, Seen]:
    return {each.span.name: each for each in seen(messages)}


def values(attributes: Iterable[KeyValue]) -> dict[str, object]:
    return {attribute.key: value(attribute.value) for attribute in attributes}


def value(any_value: AnyValue) -> object:
    match any_value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [value(item) for item in any_value.array_value.values]
        case "kvlist_value":
            return values(any_value.kvlist_value.values)
        case kind:
            return getattr(any_value, kind)


def trace(
    number: int, spans: int = 1, *, service: str = "seats", start: int = 1_700_000_000_000_000_000, **changes: object
) -> ResourceSpans:
    """A trace of a root and its children, all in one service."""
    entry = ResourceSpans()
    entry.resource.attributes.add(key="service.name").value.string_value = service
    scope = entry.scope_spans.add()
    for place in range(spans):
        span = scope.spans.add(
            trace_id=number.to_bytes(16, "big"),
            span_id=(place + 1).to_bytes(8, "big"),
            parent_span_id=(1).to_bytes(8, "big") if place else b"",
            name=f"work {number}-{place}",
            start_time_unix_nano=start + place,
            end_time_unix_nano=start + 1_000_000 + place,
        )
        for name, changed in changes.items():
            setattr(span, name, changed)
    return entry


def capture_of(folder: Path, *entries: ResourceSpans) -> Path:
    path = folder / "capture.pb"
    path.write_bytes(TracesData(resource_spans=entries).SerializeToString())
    return path
