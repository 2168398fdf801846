"""What the protobuf library sees in OTLP bytes, in the terms of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData


@dataclass(frozen=True)
class Seen:
    """A span, the attributes of its resource, and its scope's name."""

    resource: dict[str, object]
    scope: str
    span: Span

    @property
    def service(self) -> object:
        return self.resource["service.name"]

    @property
    def attributes(self) -> dict[str, object]:
        return {attribute.key: value_of(attribute.value) for attribute in self.span.attributes}


def value_of(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    assert kind is not None
    inner = getattr(value, kind)
    return [value_of(item) for item in inner.values] if kind == "array_value" else inner


def seen(payload: bytes) -> Iterator[Seen]:
    """All spans of TracesData in the order of the bytes."""
    for entry in TracesData.FromString(payload).resource_spans:
        resource = {attribute.key: value_of(attribute.value) for attribute in entry.resource.attributes}
        for scope in entry.scope_spans:
            for span in scope.spans:
                yield Seen(resource, scope.scope.name, span)
