"""Pauses between attempts grow up to a bound, and follow the target where it says for how long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vivace.send.answer import Answer, Outcome
from vivace.send.attempts import Attempts, Waiting
from vivace.send.request import InFlight

BUSY = Answer(Outcome.FAILED, "UNAVAILABLE", retryable=True)
ATTEMPTS = Attempts(most=5, first_pause_s=1.0, longest_pause_s=3.0, patience_s=20.0)


def test_a_pause_is_anything_up_to_a_bound_that_doubles() -> None:
    assert [ATTEMPTS.pause_s(attempt, BUSY, 1.0) for attempt in range(1, 6)] == [1.0, 2.0, 3.0, 3.0, None]
    assert ATTEMPTS.pause_s(2, BUSY, 0.25) == 0.5


def test_what_the_target_asks_for_is_the_least() -> None:
    assert ATTEMPTS.pause_s(1, Answer(Outcome.FAILED, "HTTP 429", retryable=True, retry_after_s=4.0), 0.5) == 4.5
    assert ATTEMPTS.pause_s(1, Answer(Outcome.FAILED, "HTTP 429", retryable=True, retry_after_s=21.0), 0.5) is None


def test_what_may_not_be_sent_again_is_not() -> None:
    assert ATTEMPTS.pause_s(1, Answer(Outcome.FAILED, "INVALID_ARGUMENT"), 0.5) is None
    assert Attempts().pause_s(1, BUSY, 0.5) is None


@given(st.integers(1, 10), st.floats(0, 1), st.none() | st.floats(0, 100))
def test_a_request_takes_no_longer_than_said(attempt: int, drawn: float, after: float | None) -> None:
    attempts = Attempts(most=10)
    pause = attempts.pause_s(attempt, Answer(Outcome.FAILED, "UNAVAILABLE", None, 0, True, after), drawn)
    assert pause is None or 0 <= pause <= (attempts.longest_s(1.0) - 10.0) / 9


def test_waiting_requests_come_out_in_time_and_once() -> None:
    waiting = Waiting()
    for number, at_ns in enumerate((30, 10, 20)):
        waiting.put(at_ns, InFlight(number, 0, 0, 0, 0), 5, BUSY)
    assert waiting.next_ns == 10
    assert [request.number for request, _ in waiting.due(20)] == [1, 2]
    assert [request.number for request, _, _ in waiting.give_up()] == [0]
    assert not len(waiting)
    assert waiting.next_ns is None
