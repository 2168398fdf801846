"""Figures of queries, overall and by query, bucket and kind."""

from __future__ import annotations

from tests.measure.ledgers import SECOND, START, dropped, queries, timed

from vivace.measure.asking import query_figures


def test_queries_are_counted_overall_and_by_group() -> None:
    figures = query_figures(
        queries(
            {"name": "errors", "bucket": "recent"} | timed(0, 0, 10),
            {"name": "errors", "bucket": "old", "outcome": "failed", "failure": "timeout"} | timed(1, 0, 500),
            {"name": "slow", "bucket": "old", "outcome": "failed", "failure": "status", "status": 503},
            {"name": "slow", "bucket": "recent", "kind": "fetch"} | timed(3, 10, 30),
            dropped(name="slow", bucket="recent"),
        ),
        duration_s=2,
    )
    assert figures is not None
    assert (figures.offered, figures.dropped, figures.sent, figures.succeeded, figures.failed) == (5, 1, 4, 2, 2)
    assert figures.queries_per_s == 1
    assert figures.failures == {"status": 1, "timeout": 1}
    assert figures.response_ms is not None
    assert (figures.response_ms.p50, figures.response_ms.max) == (20, 500)
    assert {name: (group.offered, group.succeeded) for name, group in figures.by_query.items()} == {
        "errors": (2, 1),
        "slow": (3, 1),
    }
    assert {name: group.sent for name, group in figures.by_bucket.items()} == {"old": 2, "recent": 2}
    assert {name: group.sent for name, group in figures.by_kind.items()} == {"fetch": 1, "search": 3}
    fetch = figures.by_kind["fetch"]
    assert fetch.response_ms is not None
    assert fetch.service_ms is not None
    assert (fetch.response_ms.p50, fetch.service_ms.p50) == (40, 30)


def test_late_queries_are_counted() -> None:
    figures = query_figures(queries(timed(0, 150, 10), timed(1, 50, 10)), duration_s=1, vus_max=5)
    assert figures is not None
    assert figures.late == 1


def test_no_queries_have_no_figures() -> None:
    assert query_figures(queries(), duration_s=1) is None


def test_what_answers_held_is_added_up() -> None:
    figures = query_figures(
        queries(
            {"kind": "search", "bytes": 100, "traces": 2, "spans": 5, "inspected_spans": 40, "retries": 1},
            {"kind": "search", "bytes": 50, "traces": 0, "spans": 0, "inspected_spans": 2, "retries": 0},
            {"kind": "tags", "bytes": 10, "traces": None, "spans": None, "inspected_spans": None, "items": 7},
            {"kind": "tags", "bytes": 2, "traces": None, "spans": None, "inspected_spans": None, "items": 0},
            {"kind": "search", "bytes": 8, "outcome": "failed", "failure": "wrong", "traces": None, "spans": None},
        ),
        duration_s=1,
    )
    assert figures is not None
    assert (figures.bytes, figures.traces, figures.spans, figures.items) == (170, 2, 5, 7)
    assert (figures.inspected_spans, figures.empty, figures.retries) == (42, 2, 1)
    tags = figures.by_kind["tags"]
    assert (tags.traces, tags.spans, tags.inspected_spans, tags.empty) == (None, None, None, 1)


def test_comparisons_with_what_was_sent_are_counted() -> None:
    figures = query_figures(
        queries({"checked": "right"}, {"checked": "right"}, {"checked": "wrong"}, {"checked": None}), duration_s=1
    )
    assert figures is not None
    assert figures.checks == {"right": 2, "wrong": 1}


def test_different_answers_to_the_same_question_about_a_closed_window_are_found() -> None:
    start_s = START // SECOND
    closed = {"name": "errors", "window_start_s": start_s - 100, "window_end_s": start_s - 60}
    still_open = {"name": "errors", "window_start_s": start_s - 100, "window_end_s": start_s - 5}
    figures = query_figures(
        queries(
            closed | {"digest": 1},
            closed | {"digest": 2},
            closed | {"digest": None, "limited": True},
            closed | {"name": "slow", "digest": 3},
            closed | {"name": "slow", "digest": 3},
            closed | {"name": "once", "digest": 4},
            still_open | {"digest": 5},
            still_open | {"digest": 6},
        ),
        duration_s=1,
    )
    assert figures is not None
    assert (figures.repeated, figures.differing) == (2, 1)
    assert figures.differences == (f"errors over {start_s - 100} to {start_s - 60} (query 0): 2 answers of 2 differ",)


def test_questions_that_were_never_repeated_have_no_figure() -> None:
    figures = query_figures(queries({}, {}), duration_s=1)
    assert figures is not None
    assert (figures.repeated, figures.differing) == (None, None)
