"""OTLP/JSON says the same as the protobuf library's JSON, but for IDs, which OTLP wants in hexadecimal."""

from __future__ import annotations

import json
import math
from base64 import b64decode
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from tests.send.requests import trace_request

from vivace.send.json_request import JsonWriter
from vivace.telemetry.template import Signal

NUMBERS = st.integers(0, (1 << 64) - 1)
SIGNED = st.integers(-(1 << 63), (1 << 63) - 1)
DOUBLES = st.floats(allow_nan=False)
VALUES: st.SearchStrategy[AnyValue] = st.recursive(
    st.one_of(
        st.builds(AnyValue, string_value=st.text(max_size=20)),
        st.builds(AnyValue, int_value=SIGNED),
        st.builds(AnyValue, double_value=DOUBLES),
        st.builds(AnyValue, bool_value=st.booleans()),
        st.builds(AnyValue, bytes_value=st.binary(max_size=10)),
        st.just(AnyValue()),
    ),
    lambda inner: st.one_of(
        st.builds(lambda some: AnyValue(array_value=ArrayValue(values=some)), st.lists(inner, max_size=3)),
        st.builds(
            lambda some: AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k", value=one) for one in some])),
            st.lists(inner, max_size=3),
        ),
    ),
    max_leaves=5,
)
ATTRIBUTES = st.lists(st.builds(KeyValue, key=st.text(max_size=8), value=VALUES), max_size=4)


def expected(message: Message) -> object:
    """By the protobuf library, with IDs in hexadecimal."""
    return _with_hexadecimal_ids(json_format.MessageToDict(message, use_integers_for_enums=True))


def _with_hexadecimal_ids(value: Any) -> object:
    if isinstance(value, list):
        return [_with_hexadecimal_ids(one) for one in value]
    if not isinstance(value, dict):
        return value
    ids = {"traceId", "spanId", "parentSpanId"}
    return {key: b64decode(one).hex() if key in ids else _with_hexadecimal_ids(one) for key, one in value.items()}


def written(signal: Signal, message: Message) -> object:
    return json.loads(JsonWriter(signal).write(message.SerializeToString()))


@settings(deadline=None, max_examples=60)
@given(ATTRIBUTES, ATTRIBUTES, NUMBERS, st.integers(0, 5), st.binary(max_size=16))
def test_traces(resource: list[KeyValue], attributes: list[KeyValue], time: int, kind: int, trace_id: bytes) -> None:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add(schema_url="s")
    group.resource.attributes.extend(resource)
    scope = group.scope_spans.add()
    scope.scope.name = "library"
    for number in range(3):
        span = scope.spans.add(trace_id=trace_id, span_id=b"12345678", start_time_unix_nano=time, kind=kind)
        span.attributes.extend(attributes)
        span.flags = number << 8
        span.status.code = number  # type: ignore[assignment]
        span.events.add(name="e", time_unix_nano=time).attributes.extend(attributes)
        span.links.add(trace_id=trace_id, span_id=b"87654321", trace_state="a=b")
    assert written(Signal.TRACES, request) == expected(request)


@settings(deadline=None, max_examples=60)
@given(ATTRIBUTES, NUMBERS, SIGNED, st.lists(DOUBLES, max_size=5), st.lists(NUMBERS, max_size=5))
def test_metrics(attributes: list[KeyValue], time: int, signed: int, bounds: list[float], counts: list[int]) -> None:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    gauge = metrics.add(name="g").gauge.data_points.add(time_unix_nano=time, as_int=signed)
    gauge.exemplars.add(as_double=1.5, trace_id=b"t" * 16, span_id=b"s" * 8)
    total = metrics.add(name="s").sum
    total.aggregation_temporality, total.is_monotonic = 2, True  # type: ignore[assignment]
    total.data_points.add(as_double=0.1).attributes.extend(attributes)
    metrics.add(name="h").histogram.data_points.add(
        count=time, sum=-0.0, explicit_bounds=bounds, bucket_counts=counts, min=1e300, max=1e-300
    )
    exponential = metrics.add(name="e").exponential_histogram.data_points.add(scale=-3, zero_count=time)
    exponential.positive.offset = -7
    exponential.positive.bucket_counts.extend(counts)
    metrics.add(name="q").summary.data_points.add(count=1).quantile_values.add(quantile=0.5, value=2.0)
    assert written(Signal.METRICS, request) == expected(request)


@settings(deadline=None, max_examples=30)
@given(VALUES, NUMBERS, st.integers(0, 24))
def test_logs(body: AnyValue, time: int, severity: int) -> None:
    request = ExportLogsServiceRequest()
    record = (
        request.resource_logs.add()
        .scope_logs.add()
        .log_records.add(
            time_unix_nano=time,
            severity_number=severity,
            trace_id=b"t" * 16,
            span_id=b"s" * 8,
        )
    )
    record.body.CopyFrom(body)
    assert written(Signal.LOGS, request) == expected(request)


@pytest.mark.parametrize(("number", "text"), [(math.inf, "Infinity"), (-math.inf, "-Infinity"), (math.nan, "NaN")])
def test_numbers_that_json_does_not_have(number: float, text: str) -> None:
    request = ExportMetricsServiceRequest()
    request.resource_metrics.add().scope_metrics.add().metrics.add().gauge.data_points.add(as_double=number)
    assert f'"asDouble":"{text}"'.encode() in JsonWriter(Signal.METRICS).write(request.SerializeToString())


def test_fields_that_nobody_knows_are_left_out() -> None:
    assert JsonWriter(Signal.TRACES).write(b"\xa2\x06\x02hi") == b"{}"


@pytest.mark.parametrize(
    "payload",
    [trace_request(2)[:-3], b"\x0a\xff", b"\x0a", b"\x0b", b"\x08\x01", b"\xff" * 12],
)
def test_what_is_no_request_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has words of its own
        JsonWriter(Signal.TRACES).write(payload)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60))
def test_any_bytes_become_json_or_are_refused(payload: bytes) -> None:
    try:
        document = JsonWriter(Signal.TRACES).write(payload)
    except ValueError:
        return
    assert isinstance(json.loads(document), dict)
