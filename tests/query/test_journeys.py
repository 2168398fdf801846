"""Users follow journeys, workers go through plans, and what a target asks for is honoured."""

from __future__ import annotations

import time
from collections.abc import Callable

import polars as pl
import pytest
from tests.query.fake_tempo import FakeTempo, serving_in_a_thread, wait_until

from vivace.ledger import QUERIES, read_ledger
from vivace.query.bucket import TimeBucket
from vivace.query.kind import Kind
from vivace.query.limiter import Limiter
from vivace.query.load import QueryLoad
from vivace.query.plan import Action, Journey, NamedQuery, PlanEntry, Step
from vivace.query.settings import QuerySettings

Make = Callable[..., QuerySettings]


def run(settings: QuerySettings) -> pl.DataFrame:
    load = QueryLoad(settings)
    load.start()
    rows = read_ledger(load.join(), QUERIES)
    assert load.failures() == []
    assert load.progress().offered == rows.height
    return rows


def test_a_journey_is_followed_step_by_step(settings: Make) -> None:
    steps = (
        Step(Action.ASK, "tags"),
        Step(Action.ASK, "all", think_s=0.1),
        Step(Action.REPEAT),
        Step(Action.OPEN, think_s=0.1),
    )
    made = {
        "queries": (NamedQuery("all", "{}"), NamedQuery("tags", kind=Kind.TAGS)),
        "journeys": (Journey("explore", steps),),
        "plan": (PlanEntry("explore", "recent"),),
        "elapsed_s": 5.0,
        "duration_s": 0.5,
    }
    with serving_in_a_thread(FakeTempo().app()) as url:
        rows = run(settings(base_url=url, **made))
    assert set(rows["journey"]) == {"explore"}
    one = rows.filter(pl.col("query") == 3).sort("step")
    assert one["kind"].to_list() == ["tags", "search", "search", "fetch"]
    assert one["name"].to_list() == ["tags", "all", "all", "all"]
    assert one["items"].to_list() == [3, None, None, None]
    assert one["window_end_s"].to_list()[1] == one["window_end_s"].to_list()[2]
    assert one["digest"][1] == one["digest"][2]
    gaps = (one["due_ns"].diff().drop_nulls() / 1e6).to_list()
    assert gaps[0] > 50
    assert gaps[2] > 50
    assert ((one["started_ns"] - one["due_ns"]) >= 0).all()


def test_a_journey_leaves_out_what_it_cannot_open(settings: Make) -> None:
    made = {
        "journeys": (Journey("look", (Step(Action.ASK, "all"), Step(Action.OPEN), Step(Action.ASK, "errors"))),),
        "plan": (PlanEntry("look"),),
        "duration_s": 0.2,
    }
    with serving_in_a_thread(FakeTempo(traces=0).app()) as url:
        rows = run(settings(base_url=url, **made))
    assert set(rows["step"]) == {0, 2}
    assert set(rows["kind"]) == {"search"}


def test_workers_go_through_the_plan_from_places_of_their_own(settings: Make) -> None:
    names = tuple(f"q{number}" for number in range(8))
    made = {
        "queries": tuple(NamedQuery(name, "{}") for name in names),
        "plan": tuple(PlanEntry(name, "recent") for name in names),
        "pace": Limiter(40, 4, 1.0),
        "duration_s": 2.5,
    }
    with serving_in_a_thread(FakeTempo().app()) as url:
        rows = run(settings(base_url=url, **made))
    for worker in range(4):
        mine = rows.filter(pl.col("query") % 4 == worker).sort("query")
        expected = [names[(worker * 2 + turn) % 8] for turn in range(mine.height)]
        assert mine["name"].to_list() == expected
        started = mine["started_ns"]
        lasted = (started[-1] - started[0]) / 1e9
        assert mine.height <= 10 + lasted * 10 + 1  # a full bucket, and the rate
    assert rows["bucket"].is_null().all()


def test_the_same_seed_asks_the_same_in_the_same_order(settings: Make) -> None:
    made = {"pace": Limiter(200, 3), "duration_s": 1.2, "click_probability": 0.3, "seed": 5}
    with serving_in_a_thread(FakeTempo().app()) as url:
        first, second = (
            run(settings(base_url=url, **made)).select("query", "step", "name", "kind").sort("query", "step")
            for _ in range(2)
        )
    shared = first.join(second, on=["query", "step"], suffix="_again")
    assert shared.height > 20
    assert (shared["name"] == shared["name_again"]).all()
    assert (shared["kind"] == shared["kind_again"]).all()


def test_a_target_that_asks_to_be_left_alone_is(settings: Make) -> None:
    tempo = FakeTempo(status=429, headers={"Retry-After": "30"})
    with serving_in_a_thread(tempo.app()) as url:
        load = QueryLoad(settings(base_url=url, pace=Limiter(1000, 3), duration_s=60.0))
        load.start()
        wait_until(lambda: load.progress().failed == 3)
        time.sleep(0.3)
        load.stop()
        rows = read_ledger(load.join(), QUERIES)
    assert rows.height == 3
    assert set(rows["status"]) == {429}
    assert set(rows["retries"]) == {0}


def test_retries_are_made_when_asked_for_and_are_told(settings: Make) -> None:
    tempo = FakeTempo(status=503, headers={"Retry-After": "0"})
    with serving_in_a_thread(tempo.app()) as url:
        rows = run(settings(base_url=url, retries=2, duration_s=0.1))
    assert set(rows["retries"]) == {2}
    assert set(rows["outcome"]) == {"failed"}
    assert len(tempo.requests) == 3 * rows.height


@pytest.mark.parametrize("kind", [Kind.TRACE])
def test_a_trace_nobody_has_sent_is_not_there_and_that_is_right(settings: Make, kind: Kind) -> None:
    made = {
        "queries": (NamedQuery("lookup", kind=kind),),
        "buckets": (TimeBucket("recent", 0, 5),),
        "plan": (PlanEntry("lookup", "recent"),),
        "duration_s": 0.2,
    }
    with serving_in_a_thread(FakeTempo(spans=0).app()) as url:
        rows = run(settings(base_url=url, **made))
    assert set(rows["outcome"]) == {"succeeded"}
    assert set(rows["traces"]) == {0}
    assert rows["trace_id"].n_unique() == rows.height
