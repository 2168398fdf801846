"""What is in a request, whoever wrote it."""

from __future__ import annotations

import json

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.send.requests import REQUESTS, log_request, trace_request

from vivace.send.json_request import JsonWriter
from vivace.send.sink.items import content_of, json_content_of
from vivace.telemetry.template import Signal


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.integers(0, 6), max_size=4), max_size=4))
def test_spans_and_their_traces(scopes: list[list[int]]) -> None:
    request = ExportTraceServiceRequest()
    ids: list[bytes] = []
    for spans_of in scopes:
        resource = request.resource_spans.add()
        for spans in spans_of:
            scope = resource.scope_spans.add()
            for _ in range(spans):
                ids.append((len(ids) // 3 + 1).to_bytes(16, "big"))
                scope.spans.add(trace_id=ids[-1], name="n" * len(ids))
    found = content_of(request.SerializeToString(), Signal.TRACES, traces=True)
    assert found.items == len(ids)
    assert found.traces.tobytes() == b"".join(ids)


def test_a_trace_id_that_does_not_come_first_is_found() -> None:
    span = b"\x2a\x01n\x0a\x10" + bytes(range(16))  # name, trace_id
    scope = b"\x12" + bytes([len(span)]) + span + b"\x12\x03\x2a\x01n"  # a second one without an ID
    resource = b"\x12" + bytes([len(scope)]) + scope
    found = content_of(b"\x0a" + bytes([len(resource)]) + resource, Signal.TRACES, traces=True)
    assert found.items == 2
    assert found.traces.tobytes() == bytes(range(16))


def test_points_of_every_kind() -> None:
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    for kind, points in {"gauge": 1, "sum": 2, "histogram": 3, "exponential_histogram": 4, "summary": 5}.items():
        data = getattr(scope.metrics.add(name=kind), kind)
        for _ in range(points):
            data.data_points.add()
    assert content_of(request.SerializeToString(), Signal.METRICS, traces=True).items == 15
    as_json = json_format.MessageToJson(request).encode()
    assert json_content_of(as_json, Signal.METRICS, traces=True).items == 15


@pytest.mark.parametrize("signal", list(Signal))
def test_json_holds_the_same_as_protobuf(signal: Signal) -> None:
    request = REQUESTS[signal](9)
    plain = content_of(request, signal, traces=True)
    as_json = json_content_of(JsonWriter(signal).write(request), signal, traces=True)
    assert plain.items == as_json.items == 9
    assert plain.traces.tobytes() == as_json.traces.tobytes()
    assert plain.traces.shape[0] == (0 if signal is Signal.METRICS else 9)


@pytest.mark.parametrize("signal", list(Signal))
def test_an_empty_request_holds_nothing(signal: Signal) -> None:
    assert content_of(b"", signal, traces=True).items == 0
    assert json_content_of(b"{}", signal, traces=True).items == 0


@pytest.mark.parametrize("request_", [trace_request(3)[:-5], b"\x0a\xff", b"{}"])
def test_what_is_not_otlp_is_refused(request_: bytes) -> None:
    with pytest.raises(ValueError, match="not OTLP"):
        content_of(request_, Signal.TRACES, traces=True)


@pytest.mark.parametrize("document", ["[]", '{"resourceSpans": 5}', '{"resourceSpans": [[]]}', "{", "\xff"])
def test_what_is_not_otlp_json_is_refused(document: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has words of its own
        json_content_of(document.encode("latin-1"), Signal.TRACES, traces=True)


def test_traces_are_read_only_when_they_are_counted() -> None:
    assert content_of(log_request(3), Signal.LOGS, traces=False).traces.size == 0
    assert content_of(log_request(3), Signal.LOGS, traces=True).traces.shape == (3, 2)
    assert json.loads(JsonWriter(Signal.LOGS).write(log_request(1)))["resourceLogs"]
