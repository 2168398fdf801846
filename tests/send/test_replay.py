"""Whole replays in processes of their own, and what is left of them when something is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from tests.send.servers import acknowledge, assert_books_balance, grpc_server, hanging_server
from tests.send.templates import write_template

from vivace.errors import OutputError, TemplateError, VivaceError
from vivace.ledger import SENDS, read_ledger
from vivace.pace import ConstantRate, Schedule
from vivace.send.board import Acknowledged
from vivace.send.progress import SendProgress
from vivace.send.replay import Replay
from vivace.send.settings import SendSettings
from vivace.send.sink import Sink
from vivace.telemetry.identity import trace_ids
from vivace.telemetry.template import Template


def settings(folder: Path, endpoint: str, schedule: Schedule | None, duration_s: float, **others: int) -> SendSettings:
    numbers = {"seed": 5, "workers": 1, "vus_min": 2, "vus_max": 200} | others
    return SendSettings(
        endpoint=endpoint,
        template=write_template(folder),
        schedule=schedule,
        duration_s=duration_s,
        timeout_s=3.0,
        ledger=folder / "results" / "small-sends.parquet",
        **numbers,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


def rows_of(replay: Replay) -> pl.DataFrame:
    return read_ledger(replay.join(), SENDS)


def assert_progress_agrees(progress: SendProgress, rows: pl.DataFrame) -> None:
    """The books balance in what was shown as well, and both say the same."""
    items = dict(rows.group_by("outcome").agg(pl.col("items").sum()).iter_rows())
    rejected = int(rows["rejected"].sum())
    assert progress.done
    assert progress.offered_spans == progress.dropped_spans + progress.sent_spans
    assert progress.sent_spans == (
        progress.acknowledged_spans + progress.rejected_spans + progress.failed_spans + progress.unknown_spans
    )
    assert progress.acknowledged_spans == items.get("acknowledged", 0) - rejected
    assert progress.failed_spans == items.get("failed", 0)
    assert progress.unknown_spans == items.get("unknown", 0)
    assert progress.in_flight == 0


def wait_until_sent(replay: Replay, requests: int) -> None:
    give_up = time.monotonic() + 30
    while replay.progress().requests < requests:
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_workers_send_a_whole_schedule_together(tmp_path: Path, sink: Sink) -> None:
    before = sink.counts()
    replay = Replay(settings(tmp_path, sink.address, ConstantRate(200), 1.0, workers=2))
    replay.start()
    rows = rows_of(replay)
    counts = sink.counts()
    assert_books_balance(rows)
    assert rows["request"].to_list() == list(range(200))
    assert set(rows["outcome"]) == {"acknowledged"}
    assert (rows["worker"] == rows["request"] % 2).all()
    assert rows["due_ns"][0] == replay.start_ns
    assert counts.requests - before.requests == 200
    assert counts.bytes - before.bytes == rows["bytes"].sum()
    assert_progress_agrees(replay.progress(), rows)
    assert replay.failures() == []
    assert list(tmp_path.glob("results/*")) == [tmp_path / "results" / "small-sends.parquet"]
    assert replay.join() == tmp_path / "results" / "small-sends.parquet"


def test_progress_is_seen_while_it_goes_on(tmp_path: Path, sink: Sink) -> None:
    replay = Replay(settings(tmp_path, sink.address, ConstantRate(100), 60.0))
    replay.start()
    wait_until_sent(replay, 20)
    progress = replay.progress()
    drawn: list[Acknowledged] = []
    while not drawn:
        drawn = replay.acknowledged()
    replay.stop()
    rows = rows_of(replay)
    assert not progress.done
    assert progress.acknowledged_spans > 0
    assert progress.sent_bytes > 0
    assert progress.vus >= 2
    assert progress.clock_step_s is None
    assert progress.response_p50_ms is not None
    assert progress.response_p99_ms is not None
    assert 0 < progress.response_p50_ms <= progress.response_p99_ms
    [row] = rows.filter(pl.col("request") == drawn[0].number).iter_rows(named=True)
    assert (row["t0_ns"], row["ended_ns"]) == (drawn[0].t0_ns, drawn[0].acknowledged_ns)
    assert drawn[0] not in replay.acknowledged()
    assert_progress_agrees(replay.progress(), rows)


def test_a_stop_keeps_what_was_sent(tmp_path: Path, sink: Sink) -> None:
    replay = Replay(settings(tmp_path, sink.address, ConstantRate(100), 60.0))
    replay.start()
    wait_until_sent(replay, 10)
    replay.stop()
    rows = rows_of(replay)
    assert_books_balance(rows)
    assert 10 <= rows.height < 6000
    assert rows["request"].to_list() == list(range(rows.height))
    assert_progress_agrees(replay.progress(), rows)


def test_the_interrupt_is_the_parents_to_decide(tmp_path: Path, sink: Sink) -> None:
    replay = Replay(settings(tmp_path, sink.address, ConstantRate(100), 1.0))
    replay.start()
    for pid in replay.pids():
        os.kill(pid, signal.SIGINT)
    rows = rows_of(replay)
    assert replay.failures() == []
    assert rows.height == 100


def test_a_killed_worker_takes_nothing_with_it(tmp_path: Path) -> None:
    server = hanging_server(lambda request: len(request) % 7 == 0)
    with server as endpoint:
        replay = Replay(settings(tmp_path, endpoint, ConstantRate(100), 2.0, workers=2))
        replay.start()
        wait_until_sent(replay, 60)
        os.kill(replay.pids()[1], signal.SIGKILL)
        rows = rows_of(replay)
    assert_books_balance_after_kill(rows)
    assert rows["request"].to_list() == list(range(200))
    assert replay.failures() == ["sending worker 1 ended with signal 9"]
    never = rows.filter(pl.col("outcome") == "dropped")
    assert set(never["worker"]) == {1}
    assert set(never["message"]) == {"the worker that should have sent it had ended"}
    assert rows.filter(pl.col("outcome") == "acknowledged", pl.col("worker") == 1).height >= 10
    assert_progress_agrees(replay.progress(), rows)


def test_what_a_killed_worker_had_in_flight_is_unknown(tmp_path: Path) -> None:
    with hanging_server(lambda _request: True) as endpoint:
        replay = Replay(settings(tmp_path, endpoint, ConstantRate(20), 60.0, workers=1, vus_max=5))
        replay.start()
        wait_until_sent(replay, 8)
        os.kill(replay.pids()[0], signal.SIGKILL)
        while not replay.progress().done:
            time.sleep(0.01)
        replay.stop()
        rows = rows_of(replay)
    assert_books_balance_after_kill(rows)
    assert rows["outcome"].to_list()[:8] == ["unknown"] * 5 + ["dropped"] * 3
    unknown = rows.filter(pl.col("outcome") == "unknown")
    assert set(unknown["message"]) == {"the worker ended before it wrote this down"}
    assert unknown["started_ns"].is_not_null().all()
    assert_progress_agrees(replay.progress(), rows)


def assert_books_balance_after_kill(rows: pl.DataFrame) -> None:
    """Nobody knows when what was in flight ended."""
    assert_books_balance(rows.with_columns(ended_ns=pl.coalesce("ended_ns", pl.col("started_ns"))))


def test_a_target_that_dies_is_in_the_books(tmp_path: Path) -> None:
    sink = Sink()
    replay = Replay(settings(tmp_path, sink.start(), ConstantRate(100), 1.5))
    replay.start()
    wait_until_sent(replay, 40)
    os.kill(sink.pids()[0], signal.SIGKILL)
    rows = rows_of(replay)
    sink.stop()
    assert_books_balance(rows)
    assert {"acknowledged", "failed"} <= set(rows["outcome"]) <= {"acknowledged", "failed", "unknown"}
    assert rows.height == 150
    assert sink.counts().requests >= rows.filter(pl.col("outcome") == "acknowledged").height
    assert_progress_agrees(replay.progress(), rows)


def test_the_same_seed_sends_the_same_ids(tmp_path: Path) -> None:
    """Times differ from run to run; so all that is compared is the IDs, which are at the same places."""
    runs: list[list[bytes]] = []
    for run in range(2):
        seen: list[bytes] = []

        def keep(request: bytes, _context: object, seen: list[bytes] = seen) -> bytes:
            seen.append(request)
            return b""

        with grpc_server(keep) as endpoint:
            folder = tmp_path / str(run)
            folder.mkdir()
            replay = Replay(settings(folder, endpoint, ConstantRate(100), 0.3))
            replay.start()
            replay.join()
        runs.append(seen)
    template = Template.open(tmp_path / "0" / "template-traces.pb")
    expected = [one for number in range(30) for one in trace_ids(template, 5, number)]
    for seen in runs:
        assert len(seen) == 30
        assert all(sum(one in request for request in seen) == 1 for one in expected)


def test_a_start_that_was_agreed_is_kept(tmp_path: Path) -> None:
    start_ns = time.time_ns() + 4_000_000_000
    whole = settings(tmp_path, "127.0.0.1:1", ConstantRate(10), 0.5)
    with grpc_server(acknowledge) as endpoint:
        fields = {name: getattr(whole, name) for name in whole.__slots__} | {"endpoint": endpoint, "start_ns": start_ns}
        replay = Replay(SendSettings(**fields))
        replay.start()
        rows = rows_of(replay)
    assert replay.start_ns == start_ns
    assert rows["due_ns"][0] == start_ns
    assert (rows["started_ns"] >= start_ns).all()


def test_a_template_that_is_not_there_is_refused_before_anything_starts(tmp_path: Path) -> None:
    whole = settings(tmp_path, "127.0.0.1:1", ConstantRate(10), 0.5)
    whole.template.unlink()
    with pytest.raises(TemplateError, match="template-traces"):
        Replay(whole)


def test_a_ledger_that_cannot_be_written_is_refused_before_anything_starts(tmp_path: Path) -> None:
    whole = settings(tmp_path, "127.0.0.1:1", ConstantRate(10), 0.5)
    whole.ledger.parent.write_text("a file where a folder should be")
    replay = Replay(whole)
    with pytest.raises(OutputError, match=f"{whole.ledger.parent}: cannot be written"):
        replay.start()
    assert replay.pids() == []


def test_a_worker_that_cannot_begin_is_reported_and_leaves_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = settings(tmp_path, "127.0.0.1:1", ConstantRate(10), 0.5)
    replay = Replay(whole)
    whole.template.unlink()
    with pytest.raises(VivaceError, match="sending worker 0 ended with exit code 1"):
        replay.start()
    assert list(whole.ledger.parent.iterdir()) == []
    assert "Traceback" not in capfd.readouterr().err
