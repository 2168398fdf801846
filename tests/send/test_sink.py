"""A sink in a process of its own counts what real clients send it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from vivace.errors import ConfigurationError
from vivace.send.protocol import METHODS
from vivace.send.receiver import span_count
from vivace.send.sink import Sink, SinkSettings
from vivace.telemetry.template import Signal


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink(SinkSettings(count_spans=True)) as sink:
        yield sink


def request_of(*spans_per_resource: int) -> bytes:
    request = ExportTraceServiceRequest()
    for spans in spans_per_resource:
        scope = request.resource_spans.add().scope_spans.add()
        for _ in range(spans):
            scope.spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, name="work")
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


@pytest.mark.parametrize("kind", [Signal.METRICS, Signal.LOGS])
def test_other_signals_are_counted_without_spans(sink: Sink, kind: Signal) -> None:
    before = sink.counts()
    export(sink.address, b"anything", kind)
    assert sink.counts().requests == before.requests + 1
    assert sink.counts().spans == before.spans


def test_what_is_not_otlp_is_refused_and_not_counted(sink: Sink) -> None:
    before = sink.counts()
    with pytest.raises(grpc.RpcError, match="not OTLP"):
        export(sink.address, b"\x0a\xff")
    assert sink.counts() == before


def test_messages_of_many_megabytes_are_taken(sink: Sink) -> None:
    before = sink.counts()
    export(sink.address, b"\0" * 20_000_000, Signal.LOGS)
    assert sink.counts().bytes - before.bytes == 20_000_000


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
    assert span_count(b"") == 0
