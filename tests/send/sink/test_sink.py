"""A sink in a process of its own counts what real clients send it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from vivace.errors import ConfigurationError
from vivace.send.protocol import METHODS
from vivace.send.sink import Counting, Sink, SinkSettings
from vivace.send.sink.items import content_of
from vivace.telemetry.template import Signal


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink(SinkSettings(counting=Counting.TRACES)) as sink:
        yield sink


def request_of(*spans_per_resource: int, trace_id: bytes = b"t" * 16) -> bytes:
    request = ExportTraceServiceRequest()
    for spans in spans_per_resource:
        scope = request.resource_spans.add().scope_spans.add()
        for _ in range(spans):
            scope.spans.add(trace_id=trace_id, span_id=b"s" * 8, name="work")
    return request.SerializeToString()


def metrics_of(*points_per_metric: int) -> bytes:
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    for number, points in enumerate(points_per_metric):
        metric = scope.metrics.add(name="m")
        for _ in range(points):
            if number % 2:
                metric.histogram.data_points.add(count=1)
            else:
                metric.gauge.data_points.add(as_double=1.0)
    return request.SerializeToString()


def logs_of(records: int) -> bytes:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for _ in range(records):
        scope.log_records.add(severity_text="INFO")
    return request.SerializeToString()


def export(address: str, payload: bytes, kind: Signal = Signal.TRACES) -> bytes:
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(address, options=options) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHODS[kind])
        return call(payload, timeout=10)


def test_requests_bytes_and_spans_are_counted(sink: Sink) -> None:
    before = sink.counts()
    payload = request_of(3, 1, 100)
    assert export(sink.address, payload) == b""
    export(sink.address, payload)
    counts = sink.counts()
    assert counts.requests - before.requests == 2
    assert counts.bytes - before.bytes == 2 * len(payload)
    assert (counts.spans or 0) - (before.spans or 0) == 208


def test_points_and_records_are_counted(sink: Sink) -> None:
    before = sink.counts()
    export(sink.address, metrics_of(4, 3), Signal.METRICS)
    export(sink.address, logs_of(5), Signal.LOGS)
    counts = sink.counts()
    assert (counts.points or 0) - (before.points or 0) == 7
    assert (counts.records or 0) - (before.records or 0) == 5
    assert counts.spans == before.spans


def test_what_is_not_otlp_is_refused_and_not_counted(sink: Sink) -> None:
    before = sink.counts()
    with pytest.raises(grpc.RpcError, match="not OTLP"):
        export(sink.address, b"\x0a\xff")
    counts = sink.counts()
    assert counts.faults["malformed"] == before.faults["malformed"] + 1
    assert (counts.requests, counts.bytes, counts.spans) == (before.requests, before.bytes, before.spans)


def test_messages_of_many_megabytes_are_taken(sink: Sink) -> None:
    before = sink.counts()
    export(sink.address, b"\x7a\x80\xda\xc4\x09" + b"\0" * 20_000_000, Signal.LOGS)
    assert sink.counts().bytes - before.bytes == 20_000_005


def test_traces_are_counted_once_over_all_processes() -> None:
    settings = SinkSettings(counting=Counting.TRACES, processes=2, most_traces=100)
    with Sink(settings) as sink:
        for number in range(12):
            export(sink.address, request_of(2, trace_id=(number % 4).to_bytes(16, "big")))
        assert (sink.counts().traces, sink.counts().traces_exact) == (4, True)
        for number in range(500):
            export(sink.address, request_of(1, trace_id=(1000 + number).to_bytes(16, "big")))
        counts = sink.counts()
        assert counts.traces_exact is False
        assert counts.traces == pytest.approx(504, rel=0.05)


def test_an_unknown_method_is_refused(sink: Sink) -> None:
    with grpc.insecure_channel(sink.address) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/some.Service/Other")
        with pytest.raises(grpc.RpcError, match="UNIMPLEMENTED"):
            call(b"", timeout=10)


def test_counts_stay_after_the_sink_has_stopped_and_spans_are_absent_when_not_counted() -> None:
    sink = Sink()
    export(sink.start(), request_of(2))
    [pid] = sink.pids()
    sink.stop()
    assert (sink.counts().requests, sink.counts().spans) == (1, None)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_sink_leaves_the_interrupt_to_its_parent() -> None:
    with Sink() as sink:
        os.kill(sink.pids()[0], signal.SIGINT)
        export(sink.address, b"")
        assert sink.counts().requests == 1


def test_several_processes_share_a_port() -> None:
    with Sink(SinkSettings(processes=2)) as sink:
        assert len(set(sink.pids())) == 2
        for _ in range(8):
            export(sink.address, b"12345")
        assert sink.counts().bytes == 40


def test_an_address_that_is_taken_is_refused_in_one_line(sink: Sink) -> None:
    with pytest.raises(ConfigurationError, match=f"cannot listen on {sink.address}; choose") as caught:
        Sink(SinkSettings(address=sink.address)).start()
    assert "\n" not in str(caught.value)


def test_span_count_of_an_empty_request_is_zero() -> None:
    assert content_of(b"", Signal.TRACES, traces=True).items == 0
