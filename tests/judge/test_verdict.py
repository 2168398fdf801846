"""A verdict follows from figures and circumstances alone, and says why."""

from __future__ import annotations

import pytest
from tests.judge.runs import RESOURCES, generator, ingest, query, run, target, verification

from vivace.errors import ExitCode
from vivace.judge.circumstances import Circumstances
from vivace.judge.verdict import distinct, exit_code, judge
from vivace.measure.figures import Ceiling, Figures, Verdict
from vivace.profile.objective import DEFAULT_OBJECTIVES, parse_objective

WELL = Circumstances()
DEMANDS = tuple(DEFAULT_OBJECTIVES.values())


def judged(circumstances: Circumstances = WELL, /, **values: object) -> Figures:
    return judge(run(**values), DEMANDS, circumstances)


def test_a_run_in_which_all_is_well_passes() -> None:
    figures = judged()
    assert figures.verdict is Verdict.PASS
    assert figures.reasons == ()
    assert figures.warnings == ()
    assert [objective.met for objective in figures.objectives] == [True] * 5
    assert exit_code(figures) is ExitCode.PASS


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (
            {"ingest": ingest(acknowledged_spans=9_949, failed_spans=51)},
            "acknowledged_percent is 99.49 %, but must be >= 99.5",
        ),
        (
            {"ingest": ingest(offered_spans=20_000, dropped_spans=10_000)},
            "acknowledged_percent is 50 %, but must be >= 99.5",
        ),
        ({"query": query(succeeded=98, failed=2)}, "queries_succeeded_percent is 98 %, but must be >= 99"),
        ({"verification": verification(missing_traces=1)}, "missing_traces is 1 traces, but must be = 0"),
        ({"verification": verification(wrong_traces=2)}, "wrong_traces is 2 traces, but must be = 0"),
    ],
)
def test_a_missed_objective_fails(values: dict[str, object], reason: str) -> None:
    figures = judged(**values)
    assert figures.verdict is Verdict.FAIL
    assert figures.reasons == (reason,)
    assert exit_code(figures) is ExitCode.FAIL


def test_a_target_that_fell_over_fails() -> None:
    figures = judged(Circumstances(target_failure="indexer ended with signal 9"))
    assert figures.verdict is Verdict.FAIL
    assert figures.reasons == ("the target failed: indexer ended with signal 9",)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"clock_step_ms": -1500.0}, "the system's clock was set back by 1.5s while the load lasted"),
        ({"clock_step_ms": 20.0}, "the system's clock was set forward by 20ms while the load lasted"),
        (
            {"ingest": ingest(late_requests=11)},
            "11 of 1,000 requests (1.1%) were started more than 100 ms after they were due although VUs were free: "
            "the generator was too slow",
        ),
        (
            {"query": query(late=2)},
            "2 of 100 queries (2.0%) were started more than 100 ms after they were due although VUs were free: "
            "the generator was too slow",
        ),
        (
            {"resources": target(received_spans=0)},
            "10,000 spans were acknowledged, but the target's own metrics count none",
        ),
    ],
)
def test_what_cannot_be_trusted_is_invalid(values: dict[str, object], reason: str) -> None:
    figures = judged(**values)
    assert figures.verdict is Verdict.INVALID
    assert figures.reasons == (reason,)
    assert exit_code(figures) is ExitCode.INVALID


def test_one_request_in_a_hundred_may_be_late() -> None:
    assert judged(ingest=ingest(late_requests=10), query=query(late=1)).verdict is Verdict.PASS


def test_books_and_workers_make_a_run_invalid() -> None:
    figures = judged(Circumstances(unbalanced=("3 requests are missing",), failures=("worker 0 ended with signal 9",)))
    assert figures.verdict is Verdict.INVALID
    assert figures.reasons == (
        "the books do not balance: 3 requests are missing",
        "the generator failed: worker 0 ended with signal 9",
    )


def test_nothing_acknowledged_is_invalid_and_also_says_what_was_missed() -> None:
    figures = judged(ingest=ingest(acknowledged_spans=0, failed_spans=10_000, errors={"UNAVAILABLE": 990, "OK": 10}))
    assert figures.verdict is Verdict.INVALID
    assert figures.reasons == (
        "not one of 10,000 offered spans was acknowledged; most often the answer was UNAVAILABLE",
        "acknowledged_percent is 0 %, but must be >= 99.5",
    )


def test_nothing_sent_and_nothing_asked_is_invalid() -> None:
    figures = judged(ingest=None, query=None, verification=None)
    assert figures.verdict is Verdict.INVALID
    assert figures.reasons == (
        "nothing was sent",
        "not one query was asked",
        "acknowledged_percent could not be measured, but must be >= 99.5",
        "queries_succeeded_percent could not be measured, but must be >= 99",
        "query_response_p95 could not be measured, but must be <= 2s",
        "missing_traces could not be measured, but must be = 0",
        "wrong_traces could not be measured, but must be = 0",
    )


def test_all_queries_dropped_is_invalid() -> None:
    assert "not one query was asked" in judged(query=query(sent=0, succeeded=0, dropped=100, response_ms=None)).reasons


def test_only_sending_is_judged_by_what_it_measures() -> None:
    figures = judged(Circumstances(asks=False), query=None)
    assert figures.verdict is Verdict.PASS
    assert [objective.name for objective in figures.objectives] == [
        "acknowledged_percent",
        "missing_traces",
        "wrong_traces",
    ]


def test_only_asking_is_judged_by_what_it_measures() -> None:
    figures = judged(Circumstances(sends=False), ingest=None, verification=None)
    assert figures.verdict is Verdict.PASS
    assert [objective.name for objective in figures.objectives] == ["queries_succeeded_percent", "query_response_p95"]


def test_without_reading_back_there_is_a_warning() -> None:
    figures = judged(Circumstances(asks=False, probes=False), query=None, verification=None)
    assert figures.verdict is Verdict.PASS
    assert figures.warnings == ("nothing was read back, so it is not known whether what was acknowledged can be found",)


def test_an_objective_about_the_target_that_was_not_measured_is_invalid() -> None:
    demand = parse_objective("target_cpu_cores", "<= 2")
    figures = judge(run(resources=target(cpu_cores_mean=None)), [demand], WELL)
    assert figures.verdict is Verdict.INVALID
    assert figures.reasons == ("target_cpu_cores could not be measured, but must be <= 2",)


def test_traces_that_could_not_be_checked_prove_nothing() -> None:
    figures = judged(verification=verification(checked_traces=0, unchecked_traces=10))
    assert figures.verdict is Verdict.INVALID
    assert "missing_traces could not be measured, but must be = 0" in figures.reasons


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        ({"interrupted": True}, "the run was interrupted after 10s"),
        ({"resources": generator(3.7)}, "the generator used 3.70 of 4 cores: the limit may be its own"),
        (
            {"resources": generator(2.7)},
            "generator and target used 2.70 and 1.00 of 4 cores: they may have slowed each other",
        ),
        (
            {"ceiling": Ceiling(spans_per_s=1100, mb_per_s=0.33)},
            "the rate reached 91% of what this generator can send here at most: the limit may be its own",
        ),
        (
            {"verification": verification(unchecked_traces=2)},
            "2 of 12 traces could not be read back for want of an answer",
        ),
        (
            {"resources": target(received_spans=9_990)},
            "10,000 spans were acknowledged, but the target counted 9,990",
        ),
        ({"resources": target(failed_scrapes=4)}, "4 of 11 readings of the target's metrics failed"),
        ({"query": query(traces=0)}, "not one of 100 queries that succeeded found a trace"),
    ],
)
def test_what_limits_the_trust_is_a_warning(values: dict[str, object], warning: str) -> None:
    figures = judged(**values)
    assert figures.verdict is Verdict.PASS
    assert figures.warnings == (warning,)


def test_headroom_is_no_warning() -> None:
    figures = judged(ceiling=Ceiling(spans_per_s=10_000, mb_per_s=3), resources=RESOURCES)
    assert figures.warnings == ()


def test_an_interrupted_run_says_so_by_its_exit_code() -> None:
    assert exit_code(judged(interrupted=True)) is ExitCode.INTERRUPTED


def test_figures_without_a_verdict_have_no_exit_code() -> None:
    with pytest.raises(ValueError, match="the figures of small have not been judged"):
        exit_code(run())


@pytest.mark.parametrize(
    ("value", "threshold", "text"),
    [
        (99.49999, 99.5, "99.49999"),
        (97.23456, 99.5, "97.23"),
        (2000.0001, 2000, "2,000.0001"),
        (1e9, 2e9, "1,000,000,000"),
    ],
)
def test_a_value_is_never_rounded_to_its_limit(value: float, threshold: float, text: str) -> None:
    assert distinct(value, threshold) == text
