"""Limits of tenants, as who sends meets them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from tests.backend.receive.conftest import Receiver, started
from tests.backend.receive.test_otlp_json import document
from tests.backend.store.rebuild import stored_spans
from tests.backend.store.sample import request

from vivace.backend.receive.otlp_json import protobuf_of
from vivace.backend.store.decode import arrange

LIMITS = """
overrides:
  slow:
    ingestion: {rate_limit_bytes: 100, burst_size_bytes: 2500}
  narrow:
    global: {max_spans_per_trace: 4}
  few:
    ingestion: {max_traces_per_user: 1}
  short:
    ingestion: {max_attribute_bytes: 4}
"""


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver of tenants with limits."""
    folder: Path = tmp_path_factory.mktemp("limited")
    (folder / "limits.yaml").write_text(LIMITS, encoding="utf-8")
    with started(folder / "data", multitenancy=True, limits=folder / "limits.yaml") as receiver:
        yield receiver


def of(tenant: str) -> tuple[tuple[str, str], ...]:
    return (("x-scope-orgid", tenant),)


def stored(receiver: Receiver, tenant: str) -> Counter[bytes]:
    found: Counter[bytes] = Counter()
    for record in receiver.records():
        if record.tenant == tenant:
            found.update(stored_spans(arrange(record.batch)))
    return found


def test_who_sends_too_fast_is_told_when_to_go_on(limited: Receiver) -> None:
    assert 1500 < len(request(1)) < 2500
    limited.send(request(1), metadata=of("slow"))
    with pytest.raises(grpc.RpcError, match="RATE_LIMITED: ingestion rate limit") as error:
        limited.send(request(2), metadata=of("slow"))
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    details = {one.key: one.value for one in error.value.trailing_metadata()}["grpc-status-details-bin"]
    retry = RetryInfo()
    assert Status.FromString(details).details[0].Unpack(retry)
    assert 1 <= retry.retry_delay.seconds <= 20
    headers = {"Content-Type": "application/x-protobuf", "X-Scope-OrgID": "slow"}
    status, body, answered = limited.post(request(2), headers)
    assert status == 429
    assert 1 <= int(answered["retry-after"]) <= 20
    assert "RATE_LIMITED" in Status.FromString(body).message
    assert sum(stored(limited, "slow").values()) == 15
    assert limited.figure('tempo_discarded_spans_total{reason="rate_limited",tenant="slow"}') == 30


def test_a_request_above_the_burst_is_refused_for_good(limited: Receiver) -> None:
    with pytest.raises(grpc.RpcError, match="RATE_LIMITED: batch size") as error:
        limited.send(request(1, spans=20), metadata=of("slow"))
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    details = {one.key: one.value for one in error.value.trailing_metadata()}["grpc-status-details-bin"]
    assert not Status.FromString(details).details
    headers = {"Content-Type": "application/x-protobuf", "X-Scope-OrgID": "slow"}
    status, _, answered = limited.post(request(1, spans=20), headers)
    assert status == 413
    assert "retry-after" not in answered


def test_spans_beyond_a_traces_limit_are_refused_before_the_acknowledgement(limited: Receiver) -> None:
    answer = ExportTraceServiceResponse.FromString(limited.send(request(1), metadata=of("narrow")))
    assert answer.partial_success.rejected_spans == 3
    assert "TRACE_TOO_LARGE: max size of trace (4 spans)" in answer.partial_success.error_message
    headers = {"Content-Type": "application/json", "X-Scope-OrgID": "narrow"}
    status, body, _ = limited.post(json.dumps(document(1)).encode(), headers)
    assert status == 200
    assert json.loads(body)["partialSuccess"]["rejectedSpans"] == "15"
    assert sum(stored(limited, "narrow").values()) == 12
    assert limited.figure('tempo_discarded_spans_total{reason="trace_too_large",tenant="narrow"}') == 18
    assert limited.figure('tempo_distributor_spans_received_total{tenant="narrow"}') == 12


def test_traces_beyond_a_tenants_limit_are_refused_too(limited: Receiver) -> None:
    answer = ExportTraceServiceResponse.FromString(limited.send(request(1), metadata=of("few")))
    assert answer.partial_success.rejected_spans == 10
    assert "LIVE_TRACES_EXCEEDED" in answer.partial_success.error_message
    assert sum(stored(limited, "few").values()) == 5
    assert limited.figure('tempo_discarded_spans_total{reason="live_traces_exceeded",tenant="few"}') == 10


def test_long_attributes_are_cut_and_counted(limited: Receiver) -> None:
    assert limited.send(request(1), metadata=of("short")) == b""
    (record,) = (record for record in limited.records() if record.tenant == "short")
    assert b"service.name" not in b"".join(record.batch.attributes["resources"].messages.to_pylist())
    line = 'tempo_distributor_attributes_truncated_total{scope="resource",tenant="short"}'
    assert limited.figure(line) == 1


def test_spans_with_impossible_ids_are_counted_whole(limited: Receiver) -> None:
    bad = request(1).replace(b"\x12\x08", b"\x12\x07", 1)
    for body in (protobuf_of(b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "a"}, {"name": "b"}]}]}]}'), bad):
        with pytest.raises(grpc.RpcError):
            limited.send(body, metadata=of("any"))
    assert limited.figure('tempo_discarded_spans_total{reason="invalid_trace_id",tenant="any"}') == 2
