"""Spans one by one -> an OTLP message in which they stand together by resource and scope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from vivace.telemetry.capture.otlp import traces_data

Arguments: TypeAlias = dict[str, object]
"""Of a protobuf message's constructor."""
Value: TypeAlias = tuple[str, object]
"""Field of AnyValue, and what it holds."""
Tags: TypeAlias = dict[str, Value]
"""Attributes by key."""


def attributes(tags: Mapping[str, Value]) -> list[Arguments]:
    """Arguments of KeyValue messages."""
    return [{"key": key, "value": {field: value}} for key, (field, value) in tags.items()]


def taken(tags: Tags, *keys: str) -> str:
    """Removes the texts under these keys; gives the first that was there, else an empty text."""
    texts = [str(tags.pop(key)[1]) for key in keys if tags.get(key, ("",))[0] == "string_value"]
    return texts[0] if texts else ""


class Batches:
    """Gathers the spans of a document."""

    def __init__(self) -> None:
        self._resources: dict[tuple[tuple[str, Value], ...], dict[tuple[str, str], list[Arguments]]] = {}

    def add(self, resource: Tags, scope: tuple[str, str], span: Arguments) -> None:
        """Adds one span; `scope` is the name and the version."""
        scopes = self._resources.setdefault(tuple(resource.items()), {})
        scopes.setdefault(scope, []).append(span)

    def message(self) -> TracesData:
        """All that was added."""
        entries = [
            {
                "resource": {"attributes": attributes(dict(resource))},
                "scope_spans": [
                    {"scope": {"name": name, "version": version}, "spans": spans}
                    for (name, version), spans in scopes.items()
                ],
            }
            for resource, scopes in self._resources.items()
        ]
        return traces_data(resource_spans=entries)
