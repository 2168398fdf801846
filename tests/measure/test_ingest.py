"""Figures of sends are exact counts and percentiles of the ledger."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from tests.measure.ledgers import MS, SECOND, START, dropped, send_ledgers, sends, timed

from vivace.measure.books import unbalanced_sends
from vivace.measure.figures import Latency
from vivace.measure.ingest import ingest_figures


def test_every_outcome_is_counted_in_spans() -> None:
    figures = ingest_figures(
        sends(
            {"items": 10, "rejected": 3},
            {"items": 20},
            dropped(items=30),
            {"items": 40, "outcome": "failed", "status": "UNAVAILABLE"},
            {"items": 50, "outcome": "failed", "status": "UNAVAILABLE"},
            {"items": 60, "outcome": "unknown", "status": "DEADLINE_EXCEEDED"},
            {"items": 70, "outcome": "unknown", "status": None, "ended_ns": None},
        ),
        duration_s=10,
    )
    assert figures is not None
    assert figures.offered_spans == 280
    assert figures.dropped_spans == 30
    assert figures.sent_spans == 250
    assert figures.acknowledged_spans == 27
    assert figures.rejected_spans == 3
    assert figures.failed_spans == 90
    assert figures.unknown_spans == 130
    assert (figures.requests, figures.sent_bytes) == (6, 6000)
    assert figures.spans_per_s == 2.7
    assert figures.mb_per_s == 0.0002
    assert list(figures.errors.items()) == [("UNAVAILABLE", 2), ("DEADLINE_EXCEEDED", 1), ("no answer", 1)]


def test_latencies_are_counted_from_the_due_time_and_from_the_start() -> None:
    figures = ingest_figures(sends(timed(0, 5, 20), timed(1, 15, 10), dropped()), duration_s=1)
    assert figures is not None
    assert figures.response_ms == Latency(p50=25, p90=25, p95=25, p99=25, p999=25, max=25)
    assert figures.service_ms == Latency(p50=10, p90=20, p95=20, p99=20, p999=20, max=20)
    assert figures.late_ms == Latency(p50=5, p90=15, p95=15, p99=15, p999=15, max=15)


def test_percentiles_are_nearest_ranks() -> None:
    figures = ingest_figures(sends(*(timed(n, 0, n + 1) for n in range(1000))), duration_s=100)
    assert figures is not None
    assert figures.response_ms == Latency(p50=500, p90=900, p95=950, p99=990, p999=999, max=1000)


def test_nothing_offered_has_no_figures() -> None:
    assert ingest_figures(sends(), duration_s=10) is None


def test_only_dropped_requests_have_counts_but_no_latencies() -> None:
    figures = ingest_figures(sends(dropped(), dropped()), duration_s=10)
    assert figures is not None
    assert (figures.offered_spans, figures.dropped_spans, figures.sent_spans) == (20, 20, 0)
    assert (figures.spans_per_s, figures.mb_per_s) == (0, 0)
    assert figures.response_ms is None


def test_rates_count_a_late_end() -> None:
    """Ten spans acknowledged within a second, and ten after four."""
    figures = ingest_figures(sends({}, {"ended_ns": START + 4 * SECOND}), duration_s=1)
    assert figures is not None
    assert figures.spans_per_s == 5


def test_a_request_that_failed_late_does_not_lower_the_rate() -> None:
    figures = ingest_figures(sends({}, {"outcome": "failed", "ended_ns": START + 9 * SECOND}), duration_s=1)
    assert figures is not None
    assert figures.spans_per_s == 10


def test_a_start_long_after_the_due_time_is_late() -> None:
    figures = ingest_figures(sends(timed(0, 100, 5), timed(1, 101, 5), timed(2, 0, 5)), duration_s=1)
    assert figures is not None
    assert figures.late_requests == 1


@pytest.mark.parametrize(("vus_max", "late"), [(1, 0), (2, 1), (None, 1)])
def test_a_request_that_found_all_vus_busy_is_excused(vus_max: int | None, late: int) -> None:
    """The second is due at 100 ms, while the first is in flight until 300 ms."""
    figures = ingest_figures(sends(timed(0, 0, 300), timed(1, 200, 5)), duration_s=1, vus_max=vus_max)
    assert figures is not None
    assert figures.late_requests == late


def test_vus_are_shared_among_workers() -> None:
    """The second worker has one of two VUs, and it was free."""
    figures = ingest_figures(
        sends({"worker": 0} | timed(0, 0, 300), {"worker": 1} | timed(1, 200, 5)), duration_s=1, vus_max=2
    )
    assert figures is not None
    assert figures.late_requests == 1


@given(send_ledgers)
@settings(max_examples=60, deadline=None)
def test_the_books_of_any_ledger_balance(ledger: pl.DataFrame) -> None:
    assert unbalanced_sends(ledger, ledger.height) == ()
    figures = ingest_figures(ledger, duration_s=3)
    assert figures is not None
    assert figures.offered_spans == figures.dropped_spans + figures.sent_spans
    assert figures.sent_spans == (
        figures.acknowledged_spans + figures.rejected_spans + figures.failed_spans + figures.unknown_spans
    )
    assert figures.offered_spans == ledger["items"].sum()


def test_large_counts_do_not_overflow() -> None:
    rows: list[dict[str, object]] = [{"items": 2_000_000_000, "bytes": 2_000_000_000}] * 3
    figures = ingest_figures(sends(*rows), duration_s=1)
    assert figures is not None
    assert (figures.offered_spans, figures.sent_bytes) == (6_000_000_000, 6_000_000_000)


def test_a_torn_millisecond_is_kept() -> None:
    figures = ingest_figures(sends({"ended_ns": START + MS // 3}), duration_s=1)
    assert figures is not None
    assert figures.response_ms is not None
    assert figures.response_ms.max == pytest.approx(1 / 3, rel=1e-5)


def test_retries_and_disorder_are_told() -> None:
    rows: list[dict[str, object]] = [
        {"attempts": 1},
        {"attempts": 3, "bytes": 3000, "disorder": "late"},
        {"attempts": 1, "disorder": "duplicate", "copies": 0},
        {"attempts": 2, "outcome": "failed", "disorder": "late"},
        dropped(disorder="skewed"),
    ]
    figures = ingest_figures(sends(*rows), duration_s=1)
    assert figures is not None
    assert figures.attempts == 7
    assert figures.retry_amplification == pytest.approx((1000 + 9000 + 1000 + 2000) / 6000)
    assert figures.disorder == {"late": 2, "duplicate": 1}


def test_ledgers_that_do_not_tell_of_attempts_have_none() -> None:
    figures = ingest_figures(sends({}, {}), duration_s=1)
    assert figures is not None
    assert (figures.attempts, figures.retry_amplification, figures.disorder) == (None, None, {})
