"""Books that do not balance are named, with how many rows are wrong."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import pytest
from tests.measure.ledgers import START, dropped, queries, sends

from vivace.measure.books import unbalanced_queries, unbalanced_sends


def workers(*numbers: tuple[int, int]) -> pl.DataFrame:
    return sends(*({"worker": worker, "request": request} for worker, request in numbers))


def test_a_ledger_of_two_workers_balances_wherever_they_stopped() -> None:
    ledger = workers((0, 0), (1, 1), (0, 2), (1, 3), (0, 4), (0, 6), (0, 8))
    assert unbalanced_sends(ledger) == ()
    assert unbalanced_sends(ledger, offered=7) == ()


def test_an_empty_ledger_balances_when_nothing_was_offered() -> None:
    assert unbalanced_sends(sends(), offered=0) == ()
    assert unbalanced_sends(sends(), offered=3) == ("3 requests were offered, but the ledger has 0",)


def test_requests_that_were_lost_on_the_way() -> None:
    assert unbalanced_sends(workers((0, 0), (1, 1), (0, 2), (1, 3), (0, 8), (1, 5))) == (
        "2 requests are missing from the ledger",
    )


def test_a_worker_without_rows() -> None:
    assert unbalanced_sends(workers((0, 0), (0, 2), (0, 4))) == ("of 2 workers 1 are missing from the ledger",)


def test_requests_that_are_there_twice() -> None:
    assert unbalanced_sends(workers((0, 0), (0, 1), (0, 1))) == ("1 requests are in the ledger more than once",)


def test_counters_that_say_something_else() -> None:
    assert unbalanced_sends(workers((0, 0), (0, 1)), offered=5) == ("5 requests were offered, but the ledger has 2",)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"outcome": "lost"}, "1 requests have no outcome that is known"),
        ({"outcome": None}, "1 requests have no outcome that is known"),
        ({"outcome": "dropped"}, "1 requests were dropped and yet started"),
        (dropped(outcome="failed"), "1 requests have an outcome but no start"),
        ({"ended_ns": START}, "1 requests ended before they started"),
        ({"ended_ns": None}, "1 requests were answered but have no end"),
        ({"rejected": 11}, "1 requests had more spans rejected than sent"),
        ({"items": None}, "1 requests have no count of spans"),
    ],
)
def test_rows_that_contradict_themselves(values: Mapping[str, object], words: str) -> None:
    assert unbalanced_sends(sends({}, values, dropped())) == (words,)


def test_what_was_in_flight_when_a_worker_died_balances() -> None:
    assert unbalanced_sends(sends({}, {"outcome": "unknown", "ended_ns": None})) == ()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"outcome": "acknowledged"}, "1 queries have no outcome that is known"),
        ({"outcome": "dropped"}, "1 queries were dropped and yet started"),
        (dropped(outcome="succeeded"), "1 queries have an outcome but no start"),
    ],
)
def test_queries_that_contradict_themselves(values: Mapping[str, object], words: str) -> None:
    assert words in unbalanced_queries(queries({}, values))


def test_queries_that_balance() -> None:
    assert unbalanced_queries(queries({}, dropped(), {"outcome": "failed"}), offered=3) == ()
    assert unbalanced_queries(queries({}), offered=2) == ("2 queries were offered, but the ledger has 1",)
