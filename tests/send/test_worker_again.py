"""What a worker does besides offering requests when they are due: sends again, copies, holds back, keeps to a rate."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import grpc
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.send.runner import Runner, assert_sound
from tests.send.servers import acknowledge, grpc_server, hanging_server, nobody
from tests.send.templates import REQUESTS, write_template

from vivace.pace import AdjustmentSettings, ConstantRate
from vivace.send.attempts import Attempts
from vivace.send.board import Board, Count, Stop
from vivace.send.cut import Batching, Per
from vivace.send.disorder import Disorder

AGAIN = Attempts(most=3, first_pause_s=0.02, longest_pause_s=0.05)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def runner(template: Path, tmp_path: Path) -> Runner:
    return Runner(template, tmp_path)


class Recorder:
    """Keeps what arrives, and refuses the first attempts of each request."""

    def __init__(self, refused: int = 0, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> None:
        self.seen: list[bytes] = []
        self._refused = refused
        self._code = code
        self._lock = threading.Lock()

    def __call__(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        with self._lock:
            self.seen.append(request)
            times = self.seen.count(request)
        if times <= self._refused:
            context.abort(self._code, "not now")
        return b""


def test_a_retry_is_the_same_request_again(runner: Runner) -> None:
    server = Recorder(refused=2)
    sent = runner.run(grpc_server(server), ConstantRate(100), duration_s=0.3, attempts=AGAIN)
    assert_sound(sent)
    assert set(sent.rows["outcome"]) == {"acknowledged"}
    assert set(sent.rows["attempts"]) == {3}
    assert Counter(Counter(server.seen).values()) == {3: 30}
    assert sent.board.counts[Count.RETRIES] == 60
    assert sent.board.counts[Count.RETRIED_BYTES] == 2 * sent.rows["bytes"].sum()


def test_attempts_are_bounded(runner: Runner) -> None:
    sent = runner.run(grpc_server(Recorder(refused=9)), ConstantRate(50), duration_s=0.2, attempts=AGAIN)
    assert_sound(sent)
    assert set(sent.rows["outcome"]) == {"failed"}
    assert set(sent.rows["attempts"]) == {3}


def test_without_attempts_nothing_is_sent_twice(runner: Runner) -> None:
    server = Recorder(refused=1)
    sent = runner.run(grpc_server(server), ConstantRate(50), duration_s=0.2)
    assert_sound(sent)
    assert set(sent.rows["outcome"]) == {"failed"}
    assert len(server.seen) == len(set(server.seen)) == 10


def test_what_cannot_be_repaired_is_not_sent_again(runner: Runner) -> None:
    server = Recorder(refused=9, code=grpc.StatusCode.INVALID_ARGUMENT)
    sent = runner.run(grpc_server(server), ConstantRate(50), duration_s=0.2, attempts=AGAIN)
    assert_sound(sent)
    assert set(sent.rows["attempts"]) == {1}


def test_a_request_that_may_have_been_stored_stays_unknown(runner: Runner) -> None:
    """It timed out at first, and was refused when it was sent again."""
    times: Counter[bytes] = Counter()

    def behave(request: bytes, context: grpc.ServicerContext) -> bytes:
        times[request] += 1
        if times[request] > 1:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "never")
        time.sleep(2.5)
        return b""

    sent = runner.run(grpc_server(behave), ConstantRate(10), duration_s=0.1, timeout_s=2.0, attempts=AGAIN)
    assert_sound(sent)
    assert sent.rows.select("outcome", "status", "attempts").rows() == [("unknown", "INVALID_ARGUMENT", 2)]


def test_a_stop_gives_up_what_waits_for_its_next_attempt(runner: Runner) -> None:
    def stop(board: Board) -> None:
        while board.counts[Count.IN_FLIGHT] < 2:
            time.sleep(0.01)
        board.counts[Count.STOP] = Stop.GRACEFUL

    patient = Attempts(most=100, first_pause_s=60.0, longest_pause_s=60.0)
    with grpc_server(Recorder(refused=99)) as endpoint:
        sent = runner.send(runner.settings(endpoint, ConstantRate(10), duration_s=60.0, attempts=patient), stop)
    assert_sound(sent)
    assert set(sent.rows["outcome"]) == {"failed"}


def test_a_stop_at_once_waits_for_nothing(runner: Runner) -> None:
    def stop(board: Board) -> None:
        while board.counts[Count.IN_FLIGHT] < 2:
            time.sleep(0.01)
        board.counts[Count.STOP] = Stop.AT_ONCE

    with hanging_server(lambda _request: True) as endpoint:
        began = time.monotonic()
        sent = runner.send(runner.settings(endpoint, ConstantRate(10), duration_s=60.0, timeout_s=60.0), stop)
    assert time.monotonic() - began < 30
    assert_sound(sent)
    assert set(sent.rows["outcome"]) == {"unknown"}
    assert "told to stop at once" in sent.rows["message"][0]


def test_copies_have_the_bytes_of_an_earlier_request(runner: Runner) -> None:
    server = Recorder()
    sent = runner.run(grpc_server(server), ConstantRate(200), duration_s=0.5, disorder=Disorder(duplicate=0.3))
    assert_sound(sent)
    copies = sent.rows.filter(pl.col("disorder") == "duplicate")
    assert copies.height > 10
    assert (copies["copies"] < copies["request"]).all()
    assert len(set(server.seen)) == sent.rows.height - copies.height
    assert sent.rows.filter(pl.col("disorder").is_null())["copies"].is_null().all()
    assert sent.board.counts[Count.DISORDERED] == copies.height
    again = copies.join(sent.rows, left_on="copies", right_on="request", suffix="_original")
    for column in ("t0_ns", "bytes", "items", "template"):
        assert (again[column] == again[f"{column}_original"]).all()


def test_requests_that_are_held_back_come_later_and_punctually(runner: Runner) -> None:
    disorder = Disorder(reordered=0.2, reordered_by_s=0.1)
    sent = runner.run(grpc_server(acknowledge), ConstantRate(100), duration_s=0.8, disorder=disorder)
    assert_sound(sent)
    assert sorted(sent.rows["request"]) == list(range(80))
    own = sent.rows.filter(pl.col("disorder").is_null())
    held = sent.rows.filter(pl.col("disorder") == "reordered")
    start_ns = int(own.select(pl.col("due_ns") - pl.col("request") * 10_000_000).to_series()[0])
    delay = held.select(pl.col("due_ns") - start_ns - pl.col("request") * 10_000_000).to_series()
    assert held.height > 3
    assert (delay.head(held.height - 10) >= 100_000_000).all()
    assert (sent.rows["started_ns"] >= sent.rows["due_ns"]).all()


def test_replays_bound_what_is_sent(runner: Runner) -> None:
    for schedule in (None, ConstantRate(500)):
        sent = runner.run(grpc_server(acknowledge), schedule, duration_s=float("inf"), replays=2, vus_max=4)
        assert_sound(sent)
        assert sorted(sent.rows["request"]) == list(range(2 * REQUESTS))


def test_a_rate_limit_lets_a_burst_through_and_then_its_rate(runner: Runner) -> None:
    """Requests of 20 and 22 items: a full bucket of 420 for the first replay, then 210 a second."""
    sent = runner.run(grpc_server(acknowledge), None, duration_s=float("inf"), replays=2, items_per_second=210.0)
    assert_sound(sent)
    started = sent.rows.sort("request")["started_ns"]
    seconds = (started[2 * REQUESTS - 1] - started[0]) / 1e9
    assert seconds >= 1.9
    assert (started[REQUESTS - 1] - started[0]) / 1e9 < seconds / 2


def test_an_adjusted_rate_falls_while_the_target_refuses(runner: Runner) -> None:
    adjustment = AdjustmentSettings(least=200, most=100_000, increase=50_000, interval_s=0.1)
    well = runner.run(grpc_server(acknowledge), None, duration_s=1.0, adjustment=adjustment)
    ill = runner.run(grpc_server(Recorder(refused=9)), None, duration_s=1.0, adjustment=adjustment)
    assert_sound(well)
    assert_sound(ill)
    assert well.board.counts[Count.RAISED] >= 1
    assert well.board.counts[Count.RATE] > 200
    assert ill.board.counts[Count.RAISED] == 0
    assert ill.board.counts[Count.RATE] == 200
    assert well.rows.height > ill.rows.height


def test_requests_of_one_service_each(runner: Runner) -> None:
    sent = runner.run(grpc_server(acknowledge), ConstantRate(200), duration_s=0.2, batching=Batching(Per.ITEMS, 5))
    assert_sound(sent)
    assert sent.rows["items"].max() == 5


def test_nobody_there_for_all_attempts(runner: Runner) -> None:
    sent = runner.run(nobody(), ConstantRate(50), duration_s=0.3, attempts=AGAIN)
    assert_sound(sent)
    assert set(sent.rows["outcome"]) == {"failed"}
    assert set(sent.rows["attempts"]) == {3}


FAULTS = ("acknowledge", "refuse", "hang")


def faulty(faults: Iterable[str]) -> AbstractContextManager[str]:
    left, lock = iter(faults), threading.Lock()

    def behave(_request: bytes, context: grpc.ServicerContext) -> bytes:
        with lock:
            fault = next(left, "acknowledge")
        if fault == "refuse":
            context.abort(grpc.StatusCode.UNAVAILABLE, "try later")
        if fault == "hang":
            time.sleep(0.3)
        return b""

    return grpc_server(behave)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(FAULTS), max_size=40), st.integers(1, 6), st.booleans())
def test_books_balance_whatever_is_done_on_purpose(
    runner: Runner, faults: list[str], vus: int, unthrottled: bool
) -> None:
    disorder = Disorder(duplicate=0.2, late=0.2, reordered=0.2, reordered_by_s=0.05, skewed=0.1, incomplete=0.2)
    sent = runner.run(
        faulty(faults),
        None if unthrottled else ConstantRate(150),
        vus_max=vus,
        timeout_s=0.15,
        duration_s=0.25,
        attempts=AGAIN,
        disorder=disorder,
    )
    assert_sound(sent)
    numbers = sorted(sent.rows["request"])
    assert numbers == list(range(len(numbers)))
