"""Figures of queries, overall and by query, bucket and kind."""

from __future__ import annotations

from tests.measure.ledgers import dropped, queries, timed

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
