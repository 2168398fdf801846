"""Traces as JSON: the text made span by span is that of the whole."""

from __future__ import annotations

import json

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from tests.backend.query.samples import request, span

from vivace.backend.query.otlp_json import batches_json, json_of


def trace() -> TracesData:
    first = request(span(1, 1, attributes={"x": [1, "ü"]}), span(1, 2, 1, name='"quoted"'), region="eu")
    first.resource_spans[0].schema_url = "https://example.org"
    first.resource_spans[0].scope_spans[0].scope.name = "scope"
    first.resource_spans[0].scope_spans.add().schema_url = "empty"
    return TracesData(resource_spans=[*first.resource_spans, *request(span(1, 3)).resource_spans])


def test_text_made_span_by_span_is_that_of_the_whole() -> None:
    assert json.loads(batches_json(trace())) == json_of(trace())["resourceSpans"]
    assert batches_json(TracesData()) == b"[]"


def test_making_it_ends_when_nobody_waits() -> None:
    calls = []

    def check() -> None:
        calls.append(1)
        if len(calls) > 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        batches_json(trace(), check)


def test_attributes_of_every_kind_are_written_as_any_message_is() -> None:
    one = span(1, 1, attributes={"text": "", "number": 0, "float": 0.5, "truth": False, "list": [1]})
    one.attributes.add(key="bytes").value.bytes_value = b"\x00"
    one.attributes.add(key="none")
    one.attributes.add().value.int_value = 1
    assert json_of(one)["attributes"] == [
        {"key": "text", "value": {"stringValue": ""}},
        {"key": "number", "value": {"intValue": "0"}},
        {"key": "float", "value": {"doubleValue": 0.5}},
        {"key": "truth", "value": {"boolValue": False}},
        {"key": "list", "value": {"arrayValue": {"values": [{"intValue": "1"}]}}},
        {"key": "bytes", "value": {"bytesValue": "AA=="}},
        {"key": "none"},
        {"value": {"intValue": "1"}},
    ]
