"""Every quantity is found in the figures, in its unit, and compared as it was demanded."""

from __future__ import annotations

import pytest
from tests.judge.runs import INGEST, QUERY, run, target, verification

from vivace.judge.objectives import evaluate, quantities
from vivace.profile.objective import parse_objective
from vivace.profile.quantity import QUANTITIES


def test_every_quantity_is_found_when_everything_was_measured() -> None:
    query = QUERY.model_copy(update={"service_ms": QUERY.response_ms})
    assert quantities(run(query=query)).keys() == QUANTITIES.keys()


def test_nothing_is_found_when_nothing_was_measured() -> None:
    assert quantities(run(ingest=None, query=None, verification=None, resources=None)) == {}


@pytest.mark.parametrize(
    ("name", "limit", "actual", "met"),
    [
        ("acknowledged_percent", ">= 99.5", 100, True),
        ("acknowledged_percent", "> 100", 100, False),
        ("query_response_p95", "<= 30ms", 30, True),
        ("query_response_p95", "< 30ms", 30, False),
        ("query_response_max", "<= 50ms", 60, False),
        ("send_response_p99", "<= 1s", 4, True),
        ("visible_p999", "<= 0.4s", 500, False),
        ("missing_traces", "= 0", 0, True),
        ("missing_traces", "== 1", 0, False),
        ("spans_per_s", ">= 1k/s", 1000, True),
        ("mb_per_s", ">= 0.3MB/s", 0.3, True),
        ("queries_per_s", "> 10/s", 10, False),
        ("target_memory", "< 1GiB", 10**9, True),
        ("target_memory", "< 1GB", 10**9, False),
        ("target_cpu_cores", "<= 1", 1, True),
        ("target_cpu_seconds_per_million_spans", "<= 6", 6.5, False),
    ],
)
def test_a_limit_is_met_or_not(name: str, limit: str, actual: float, met: bool) -> None:
    [objective] = evaluate([parse_objective(name, limit)], run())
    assert (objective.name, objective.actual, objective.met) == (name, actual, met)
    assert objective.unit == QUANTITIES[name].unit


def test_shares_are_of_what_was_offered() -> None:
    ingest = INGEST.model_copy(update={"offered_spans": 20_000, "dropped_spans": 10_000})
    query = QUERY.model_copy(update={"offered": 400, "dropped": 300})
    found = quantities(run(ingest=ingest, query=query))
    assert (found["acknowledged_percent"], found["queries_succeeded_percent"]) == (50, 25)


@pytest.mark.parametrize(
    ("name", "limit"),
    [("target_cpu_cores", "< 2"), ("missing_traces", "= 0"), ("wrong_traces", "= 0"), ("visible_p99", "< 1s")],
)
def test_what_was_not_measured_is_absent(name: str, limit: str) -> None:
    figures = run(resources=target(cpu_cores_mean=None), verification=verification(checked_traces=0))
    [objective] = evaluate([parse_objective(name, limit)], figures)
    assert (objective.actual, objective.met) == (None, None)
