"""A worker's loop against real servers: whatever the server does, each request is booked once and the books balance."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import grpc
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)
from tests.send.runner import Runner, assert_sound
from tests.send.servers import (
    acknowledge,
    grpc_server,
    hanging_server,
    nobody,
    socket_server,
)
from tests.send.templates import write_template

from vivace.pace import ConstantRate
from vivace.send.board import Board, Count
from vivace.send.http2.frames import settings as http2_settings
from vivace.telemetry.patch import sent_request
from vivace.telemetry.template import Template


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def runner(template: Path, tmp_path: Path) -> Runner:
    return Runner(template, tmp_path)


def test_every_request_of_the_schedule_is_sent_when_it_is_due(runner: Runner) -> None:
    sent = runner.run(grpc_server(acknowledge), ConstantRate(100), duration_s=0.5)
    assert_sound(sent)
    assert sorted(sent.rows["request"]) == list(range(50))
    assert set(sent.rows["outcome"]) == {"acknowledged"}
    due = sent.rows.sort("request")["due_ns"]
    assert due.diff().drop_nulls().unique().to_list() == [10_000_000]
    assert sent.rows["template"].to_list() == [number % 20 for number in sent.rows["request"]]


def test_what_arrives_is_what_can_be_computed_again(runner: Runner) -> None:
    seen: list[bytes] = []

    def keep(request: bytes, _context: grpc.ServicerContext) -> bytes:
        seen.append(request)
        return b""

    sent = runner.run(grpc_server(keep), ConstantRate(100), duration_s=0.3, seed=77)
    template = Template.open(runner.template)
    rows = sent.rows.select("request", "t0_ns").iter_rows()
    assert sorted(seen) == sorted(sent_request(template, 77, number, t0_ns) for number, t0_ns in rows)
    assert sent.rows["bytes"].sum() == sum(map(len, seen))


def test_times_end_when_a_request_is_due(runner: Runner) -> None:
    sent = runner.run(grpc_server(acknowledge), ConstantRate(50), duration_s=0.2)
    spans = Template.open(runner.template).requests.span_ns
    ends = [row["t0_ns"] + int(spans[row["template"]]) for row in sent.rows.iter_rows(named=True)]
    assert all(end >= due for end, due in zip(ends, sent.rows["due_ns"], strict=True))
    assert all(end <= started for end, started in zip(ends, sent.rows["started_ns"], strict=True))


def test_what_is_due_with_no_vu_free_is_dropped_not_sent_later(runner: Runner) -> None:
    server = hanging_server(lambda _request: True)
    sent = runner.run(server, ConstantRate(50), duration_s=0.4, timeout_s=2.0, vus_max=3)
    assert_sound(sent)
    assert sent.rows.sort("request")["outcome"].to_list() == ["unknown"] * 3 + ["dropped"] * 17
    assert set(sent.rows.filter(pl.col("outcome") == "unknown")["status"]) == {"DEADLINE_EXCEEDED"}
    assert "all 3 VUs" in sent.rows.filter(pl.col("outcome") == "dropped")["message"][0]


def test_vus_that_become_free_carry_the_next_request(runner: Runner) -> None:
    server = hanging_server(lambda _request: True)
    sent = runner.run(server, ConstantRate(50), duration_s=0.6, timeout_s=0.2, vus_max=1)
    assert_sound(sent)
    assert sent.rows.filter(pl.col("outcome") == "unknown").height >= 2
    assert sent.rows.filter(pl.col("outcome") == "dropped").height >= 2


def test_vus_grow_from_the_fewest_only_when_all_are_busy(runner: Runner) -> None:
    calm = runner.run(grpc_server(acknowledge), ConstantRate(5), vus_min=2, vus_max=8, duration_s=0.6)
    busy = runner.run(hanging_server(lambda _request: True), ConstantRate(50), vus_min=2, vus_max=8, timeout_s=1.0)
    assert calm.board.counts[Count.VUS] == 2
    assert busy.board.counts[Count.VUS] == 8


def test_a_partial_success_is_split(runner: Runner) -> None:
    partial = ExportTracePartialSuccess(rejected_spans=3, error_message="too old")
    response = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    sent = runner.run(grpc_server(lambda _request, _context: response), ConstantRate(50))
    assert_sound(sent)
    assert set(sent.rows["rejected"]) == {3}
    assert set(sent.rows["message"]) == {"too old"}
    assert sent.board.samples.since(0)[1] == []


def test_more_rejected_than_sent_is_all_of_it(runner: Runner) -> None:
    partial = ExportTracePartialSuccess(rejected_spans=1_000_000)
    response = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    sent = runner.run(grpc_server(lambda _request, _context: response), ConstantRate(50))
    assert_sound(sent)
    assert (sent.rows["rejected"] == sent.rows["items"]).all()


def test_nobody_there(runner: Runner) -> None:
    sent = runner.run(nobody(), ConstantRate(50), duration_s=0.3)
    assert_sound(sent)
    assert set(sent.rows["outcome"]) == {"failed"}
    assert set(sent.rows["status"]) == {"UNAVAILABLE"}


def test_unthrottled_keeps_the_vus_in_flight(runner: Runner) -> None:
    most: list[int] = []
    lock, inside = threading.Lock(), [0]

    def slow(_request: bytes, _context: grpc.ServicerContext) -> bytes:
        with lock:
            inside[0] += 1
            most.append(inside[0])
        time.sleep(0.02)
        with lock:
            inside[0] -= 1
        return b""

    sent = runner.run(grpc_server(slow), None, vus_min=1, vus_max=4, duration_s=0.5)
    assert_sound(sent)
    assert max(most) == 4
    assert "dropped" not in set(sent.rows["outcome"])
    assert (sent.rows["due_ns"] == sent.rows["started_ns"]).all()


def test_unthrottled_does_not_flood_when_nobody_is_there(runner: Runner) -> None:
    sent = runner.run(nobody(), None, duration_s=0.5)
    assert_sound(sent)
    assert 0 < sent.rows.height <= 60


def test_a_stop_ends_sending_and_waits_for_what_is_in_flight(runner: Runner) -> None:
    def stop(board: Board) -> None:
        while board.counts[Count.SENT_ITEMS] == 0:
            time.sleep(0.01)
        board.counts[Count.STOP] = 1

    def slow(_request: bytes, _context: grpc.ServicerContext) -> bytes:
        time.sleep(0.3)
        return b""

    with grpc_server(slow) as endpoint:
        began = time.monotonic()
        sent = runner.send(runner.settings(endpoint, ConstantRate(10), duration_s=60), stop)
    assert time.monotonic() - began < 30
    assert_sound(sent)
    assert set(sent.rows["outcome"]) == {"acknowledged"}


def test_acknowledged_requests_are_offered_for_probing(runner: Runner) -> None:
    sent = runner.run(grpc_server(acknowledge), ConstantRate(40), duration_s=1.2)
    _, samples = sent.board.samples.since(0)
    rows = {row["request"]: row for row in sent.rows.iter_rows(named=True)}
    assert 2 <= len(samples) <= 5
    for number, request, t0_ns, acknowledged_ns in samples:
        row = rows[number]
        assert (row["template"], row["t0_ns"], row["ended_ns"]) == (request, t0_ns, acknowledged_ns)


def test_workers_share_a_schedule(runner: Runner) -> None:
    sent = runner.run(grpc_server(acknowledge), ConstantRate(60), workers=3, duration_s=0.3)
    assert sorted(sent.rows["request"]) == [0, 3, 6, 9, 12, 15]


FAULTS = ("acknowledge", "reject", "refuse", "exhaust", "hang", "garbage", "slow")


def faulty(faults: Iterable[str]) -> AbstractContextManager[str]:
    """Answers each request with the next fault."""
    left = iter(faults)
    lock = threading.Lock()
    partial = ExportTracePartialSuccess(rejected_spans=2)
    rejected = ExportTraceServiceResponse(partial_success=partial).SerializeToString()

    def behave(_request: bytes, context: grpc.ServicerContext) -> bytes:
        with lock:
            fault = next(left, "acknowledge")
        match fault:
            case "reject":
                return rejected
            case "refuse":
                context.abort(grpc.StatusCode.UNAVAILABLE, "try later")
            case "exhaust":
                context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too much")
            case "hang":
                time.sleep(0.3)
            case "garbage":
                return b"\xff"
            case "slow":
                time.sleep(0.05)
        return b""

    return grpc_server(behave)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(FAULTS), max_size=40), st.integers(1, 6), st.booleans())
def test_books_balance_under_every_fault(runner: Runner, faults: list[str], vus: int, unthrottled: bool) -> None:
    schedule = None if unthrottled else ConstantRate(150)
    assert_sound(runner.run(faulty(faults), schedule, vus_max=vus, timeout_s=0.15, duration_s=0.25))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 8000), max_size=12))
def test_books_balance_when_connections_break_anywhere(runner: Runner, lives: list[int]) -> None:
    """Each connection is closed after so many bytes; then nobody answers at all."""
    left = iter(lives)

    def behave(connection: object) -> None:
        assert hasattr(connection, "recv")
        connection.sendall(http2_settings({}))  # type: ignore[attr-defined]
        life = next(left, 100)
        while life > 0 and (data := connection.recv(min(life, 4096))):
            life -= len(data)
        connection.close()  # type: ignore[attr-defined]

    sent = runner.run(socket_server(behave), ConstantRate(100), timeout_s=0.5, duration_s=0.3)
    assert_sound(sent)
    assert set(sent.rows["outcome"]) <= {"failed", "unknown", "dropped"}
