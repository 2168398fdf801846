"""Series have a row for every second, and add up to the figures."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from tests.measure.ledgers import MS, SECOND, START, dropped, probes, queries, send_ledgers, sends

from vivace.measure.ingest import ingest_figures
from vivace.measure.series import error_series, failure_series, query_series, send_series, start_of, visible_series


def at(seconds: float, service_ms: int = 10) -> dict[str, object]:
    due = START + round(seconds * SECOND)
    return {"due_ns": due, "started_ns": due, "ended_ns": due + service_ms * MS}


def test_a_second_without_anything_has_a_row_of_zeros() -> None:
    series = send_series(sends(at(0), at(0.5, 30), at(2.1)), START)
    assert series["second"].to_list() == [0, 1, 2]
    assert series["offered_spans"].to_list() == [20, 0, 10]
    assert series["acknowledged_spans"].to_list() == [20, 0, 10]
    assert series["acknowledged_mb"].to_list() == [0.002, 0.0, 0.001]
    assert series["p50"].to_list() == [10.0, None, 10.0]
    assert series["max"].to_list() == [30.0, None, 10.0]


def test_what_becomes_of_a_request_counts_when_it_ends() -> None:
    series = send_series(sends(at(0, 1500), {"outcome": "failed"} | at(0, 2500), dropped(due_ns=START + SECOND)), START)
    assert series["sent_spans"].to_list() == [20, 0, 0]
    assert series["acknowledged_spans"].to_list() == [0, 10, 0]
    assert series["failed_spans"].to_list() == [0, 0, 10]
    assert series["dropped_spans"].to_list() == [0, 10, 0]


def test_an_empty_ledger_has_an_empty_series() -> None:
    assert start_of(sends()) is None
    assert send_series(sends(), START).is_empty()
    assert query_series(queries(), START).is_empty()


@given(send_ledgers)
@settings(max_examples=30, deadline=None)
def test_series_add_up_to_the_figures(ledger: pl.DataFrame) -> None:
    start = start_of(ledger)
    assert start is not None
    series, figures = send_series(ledger, start), ingest_figures(ledger, 3)
    assert figures is not None
    for column in ("offered_spans", "dropped_spans", "sent_spans", "acknowledged_spans", "rejected_spans"):
        assert series[column].sum() == getattr(figures, column)
    assert series["failed_spans"].sum() == figures.failed_spans
    assert series["unknown_spans"].sum() == figures.unknown_spans
    if figures.response_ms is not None:
        assert series["max"].max() == pytest.approx(figures.response_ms.max)


def test_errors_by_status() -> None:
    failed = {"outcome": "failed", "status": "UNAVAILABLE"}
    lost = {"outcome": "unknown", "status": None}
    series = error_series(sends(failed | at(0), failed | at(0.2), lost | at(1.5), at(2)), START)
    assert series.rows() == [(0, "UNAVAILABLE", 2), (1, "no answer", 1)]


def test_queries_and_their_failures() -> None:
    ledger = queries(at(0), {"outcome": "failed", "failure": "timeout"} | at(0.9, 200), dropped(due_ns=START))
    series = query_series(ledger, START)
    assert series.select("second", "offered", "dropped", "sent", "succeeded", "failed").rows() == [
        (0, 3, 1, 2, 1, 0),
        (1, 0, 0, 0, 0, 1),
    ]
    assert failure_series(ledger, START).rows() == [(1, "timeout", 1)]


def test_time_to_visible() -> None:
    series = visible_series(probes({}, {"outcome": "missing", "visible_ns": None}), START)
    assert series.rows() == [(0.0, "found", 50.0), (1.0, "missing", None)]
