"""A load asks what is due, and writes down what became of it, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import psutil
import pytest
from tests.query.fake_tempo import FakeTempo, serving_in_a_thread, wait_until

from vivace.errors import OutputError
from vivace.ledger import QUERIES, read_ledger, read_part
from vivace.query.board import QueryProgress
from vivace.query.load import QueryLoad
from vivace.query.settings import QuerySettings

Make = Callable[..., QuerySettings]


def run(settings: QuerySettings) -> tuple[pl.DataFrame, QueryProgress]:
    load = QueryLoad(settings)
    load.start()
    rows = read_ledger(load.join(), QUERIES)
    assert load.failures() == []
    return rows, load.progress()


def balanced(rows: pl.DataFrame, progress: QueryProgress) -> bool:
    outcomes = [rows.filter(pl.col("outcome") == outcome).height for outcome in ("dropped", "succeeded", "failed")]
    counted = [progress.dropped, progress.succeeded, progress.failed]
    return outcomes == counted and progress.offered == rows.height == progress.dropped + progress.sent


def test_searches_and_clicks(settings: Make) -> None:
    tempo = FakeTempo()
    with serving_in_a_thread(tempo.app()) as url:
        rows, progress = run(settings(base_url=url, click_probability=0.5, seed=3, elapsed_s=5.0))
    searches, fetches = rows.filter(pl.col("kind") == "search"), rows.filter(pl.col("kind") == "fetch")
    assert searches["query"].to_list() == list(range(50))
    assert searches["name"].to_list() == ["all", "errors"] * 25
    assert set(rows["outcome"]) == {"succeeded"}
    assert 10 < fetches.height < 40
    assert balanced(rows, progress)
    assert progress.done
    assert progress.response_p50_ms is not None
    one = searches.row(0, named=True)
    assert (one["bucket"], one["traces"], one["spans"], one["inspected_spans"]) == ("recent", 1, 2, 1234)
    assert one["due_ns"] <= one["started_ns"] < one["ended_ns"]
    assert one["window_end_s"] - one["window_start_s"] in {5, 6}
    assert searches["due_ns"].diff().drop_nulls().unique().to_list() == [20_000_000]
    opened = fetches.row(0, named=True)
    assert (opened["spans"], opened["status"], opened["window_start_s"]) == (3, 200, None)
    assert opened["due_ns"] >= searches.filter(pl.col("query") == opened["query"])["ended_ns"][0]


def test_what_falls_due_with_no_user_free_is_dropped(settings: Make) -> None:
    with serving_in_a_thread(FakeTempo(delay_s=0.3).app()) as url:
        rows, progress = run(settings(base_url=url, vus_min=1, vus_max=2))
    dropped = rows.filter(pl.col("outcome") == "dropped")
    assert dropped.height > 30
    assert dropped["started_ns"].is_null().all()
    assert dropped["message"].str.starts_with("all 2 VUs were busy").all()
    assert rows.filter(pl.col("outcome") == "succeeded").height >= 4
    assert balanced(rows, progress)
    assert progress.vus == 2


def test_response_time_counts_from_when_a_query_was_due(settings: Make) -> None:
    with serving_in_a_thread(FakeTempo(delay_s=0.1).app()) as url:
        rows, _ = run(settings(base_url=url, duration_s=0.5))
    assert ((rows["ended_ns"] - rows["due_ns"]) >= (rows["ended_ns"] - rows["started_ns"])).all()
    assert (rows["ended_ns"] - rows["started_ns"]).min() >= 100_000_000  # type: ignore[operator]


def test_a_target_that_is_not_there(settings: Make) -> None:
    rows, progress = run(settings(duration_s=0.3))
    assert set(rows["failure"]) == {"connection"}
    assert balanced(rows, progress)


def test_a_load_that_is_stopped_keeps_what_it_asked(settings: Make) -> None:
    with serving_in_a_thread(FakeTempo(delay_s=0.2).app()) as url:
        load = QueryLoad(settings(base_url=url, duration_s=600.0, click_probability=1.0))
        load.start()
        wait_until(lambda: load.progress().succeeded > 5)
        assert not load.progress().done
        load.stop()
        rows = read_ledger(load.join(), QUERIES)
    assert balanced(rows, load.progress())
    assert set(rows["outcome"]) == {"succeeded"}
    assert rows.height < 1000


def test_a_load_whose_process_is_killed_keeps_its_ledger(settings: Make) -> None:
    with serving_in_a_thread(FakeTempo().app()) as url:
        load = QueryLoad(settings(base_url=url, duration_s=600.0))
        load.start()
        wait_until(lambda: load.progress().succeeded > 80)
        os.kill(load.pids()[0], signal.SIGKILL)
        rows = read_ledger(load.join(), QUERIES)
    assert load.failures() == ["the asking process ended with signal 9"]
    assert rows.height > 10
    assert load.progress().done


def test_a_ledger_that_cannot_be_written_is_said_at_once(settings: Make, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file: cannot be written"):
        QueryLoad(settings(ledger=tmp_path / "file" / "queries.parquet")).start()


PARENT = """
import signal, sys, time
from pathlib import Path
from vivace.query.bucket import TimeBucket
from vivace.query.load import QueryLoad
from vivace.pace import ConstantRate
from vivace.query.plan import NamedQuery, PlanEntry
from vivace.query.settings import QuerySettings

if __name__ == "__main__":
    stop = []
    signal.signal(signal.SIGINT, lambda *_: stop.append(1))
    load = QueryLoad(QuerySettings(
        base_url=sys.argv[1], queries=(NamedQuery("all", "{}"),), buckets=(TimeBucket("recent", 0, 5),),
        plan=(PlanEntry("all", "recent"),), pace=ConstantRate(50), vus_min=1, vus_max=20, duration_s=600,
        ledger=Path(sys.argv[2])))
    load.start()
    while load.progress().succeeded < 5:
        time.sleep(0.01)
    print(load.pids()[0], flush=True)
    while not stop:
        time.sleep(0.01)
    asked = load.progress().offered
    while load.progress().offered < asked + 5:
        time.sleep(0.01)
    load.stop()
    load.join()
    print(load.failures(), flush=True)
"""


def test_an_interrupt_of_the_whole_group_leaves_the_decision_to_the_parent(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    ledger = tmp_path / "queries.parquet"
    with serving_in_a_thread(FakeTempo().app()) as url:
        arguments = [sys.executable, str(tmp_path / "parent.py"), url, str(ledger)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, start_new_session=True) as parent:
            assert parent.stdout is not None
            assert int(parent.stdout.readline()) > 0
            os.killpg(parent.pid, signal.SIGINT)
            assert parent.stdout.readline() == "[]\n"
    rows = read_ledger(ledger, QUERIES)
    assert rows.height >= 10
    assert set(rows["outcome"]) == {"succeeded"}


def test_a_load_whose_parent_is_killed_ends_by_itself(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    with serving_in_a_thread(FakeTempo().app()) as url:
        arguments = [sys.executable, str(tmp_path / "parent.py"), url, str(tmp_path / "queries.parquet")]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as parent:
            assert parent.stdout is not None
            asking = psutil.Process(int(parent.stdout.readline()))
            parent.kill()
            wait_until(lambda: not asking.is_running() or asking.status() == psutil.STATUS_ZOMBIE)
    assert read_part(tmp_path / "queries.part", QUERIES).height >= 5
