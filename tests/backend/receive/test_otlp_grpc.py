from __future__ import annotations

import resource
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.backend.receive.conftest import Receiver, highest_memory
from tests.backend.store.rebuild import sent_spans, stored_spans
from tests.backend.store.sample import request

from vivace.backend.receive.intake import MESSAGE_BYTES


def test_what_is_acknowledged_is_in_the_log(receiver: Receiver) -> None:
    requests = [nested(b"deep", 20), *(request(seed) for seed in range(20))]
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(receiver.send, requests)) == {b""}
    tables = receiver.logged()
    assert tables is not None
    assert stored_spans(tables) == sent_spans(requests)


@pytest.mark.parametrize("settings", [{"wal_sync": "interval"}, {"wal_sync": "off"}])
def test_what_is_acknowledged_sooner_is_in_the_log_too(receiver: Receiver, settings: dict[str, Any]) -> None:
    assert receiver.send(request(1)) == b""
    tables = receiver.logged()
    assert tables is not None
    assert stored_spans(tables) == sent_spans([request(1)])


def test_a_request_without_spans_is_acknowledged(receiver: Receiver) -> None:
    assert receiver.send(b"") == b""
    assert receiver.logged() is None


def with_ids(trace: bytes = b"\1" * 16, span: bytes = b"\1" * 8) -> bytes:
    message = ExportTraceServiceRequest.FromString(request(1))
    message.resource_spans[0].scope_spans[0].spans.add(trace_id=trace, span_id=span)
    return message.SerializeToString()


def framed(tag: bytes, content: bytes) -> bytes:
    assert len(content) < 1 << 14
    return tag + bytes([len(content) & 0x7F | 0x80, len(content) >> 7]) + content


def nested(text: bytes, levels: int) -> bytes:
    """A request with an attribute of lists in lists, with a text at the bottom."""
    value = framed(b"\x0a", text)
    for _ in range(levels):
        value = framed(b"\x2a", framed(b"\x0a", value))
    span = framed(b"\x0a", b"\1" * 16) + framed(b"\x12", b"\1" * 8) + framed(b"\x4a", framed(b"\x12", value))
    return framed(b"\x0a", framed(b"\x12", framed(b"\x12", span)))


REFUSED = {
    "not protobuf": (b"\xff\xff", "not an OTLP trace request"),
    "truncated": (request(1)[:-5], "not an OTLP trace request"),
    "text that is not UTF-8": (request(1).replace(b"step 1", b"step \xff"), "not an OTLP trace request"),
    "an attribute's text that is not UTF-8": (request(1).replace(b"place", b"plac\xff"), "not an OTLP KeyValue"),
    "nested text that is not UTF-8": (nested(b"\xff", 3), "not an OTLP KeyValue"),
    "too deep": (nested(b"deep", 60), "not an OTLP KeyValue"),
    "a short trace ID": (with_ids(trace=b"\1" * 8), "trace ids must be 128 bit, received 64 bits"),
    "no trace ID": (with_ids(trace=b""), "trace ids must be 128 bit, received 0 bits"),
    "a long span ID": (with_ids(span=b"\1" * 9), "span ids must be 64 bit and not all zero, received 72 bits"),
    "a zero span ID": (with_ids(span=bytes(8)), "span ids must be 64 bit and not all zero, received 64 bits"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_requests_are_refused_whole(refusing: Receiver, case: str) -> None:
    bad, words = REFUSED[case]
    with pytest.raises(grpc.RpcError, match=words) as error:
        refusing.send(bad)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refusing.logged() is None


def test_a_bad_request_does_no_harm_to_those_beside_it(receiver: Receiver) -> None:
    requests = [request(seed) for seed in range(30)]

    def send(body: bytes) -> bool:
        try:
            receiver.send(body)
        except grpc.RpcError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        taken = list(pool.map(send, [*requests[:15], *(bad for bad, _ in REFUSED.values()), *requests[15:]]))
    assert taken == [True] * 15 + [False] * len(REFUSED) + [True] * 15
    tables = receiver.logged()
    assert tables is not None
    assert stored_spans(tables) == sent_spans(requests)


def test_a_request_that_is_too_large_is_refused(refusing: Receiver) -> None:
    with pytest.raises(grpc.RpcError) as error:
        refusing.send(bytes(MESSAGE_BYTES + 1))
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_request_that_is_too_large_when_decompressed_is_refused(refusing: Receiver) -> None:
    with pytest.raises(grpc.RpcError) as error:
        refusing.send(bytes(MESSAGE_BYTES + 1), grpc.Compression.Gzip)
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_refused_requests_do_not_pile_up_in_memory(refusing: Receiver) -> None:
    bad = b"\xff" * (16 << 20)
    for _ in range(40):
        with pytest.raises(grpc.RpcError, match="not an OTLP"):
            refusing.send(bad)
    assert highest_memory(refusing.pid) < 500 << 20


def test_a_full_disk_is_no_reason_to_end(receiver: Receiver) -> None:
    resource.prlimit(receiver.pid, resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    with pytest.raises(grpc.RpcError, match="the log cannot be written") as error:
        receiver.send(request(1))
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    resource.prlimit(receiver.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    receiver.send(request(2))
    tables = receiver.logged()
    assert tables is not None
    assert stored_spans(tables) == sent_spans([request(2)])


@pytest.mark.parametrize("settings", [{"ahead_bytes": 0}])
def test_requests_are_pushed_back_when_the_log_runs_ahead(receiver: Receiver, settings: dict[str, Any]) -> None:
    error = _pushed_back(receiver)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    details = {one.key: one.value for one in error.trailing_metadata()}["grpc-status-details-bin"]
    retry = RetryInfo()
    assert Status.FromString(details).details[0].Unpack(retry)
    assert retry.retry_delay.seconds == 1


def _pushed_back(receiver: Receiver) -> grpc.RpcError:
    for seed in range(1000):
        try:
            receiver.send(request(seed))
        except grpc.RpcError as error:
            return error
    raise AssertionError("never pushed back")
