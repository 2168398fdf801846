"""Workers divide a schedule among themselves without a gap."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from vivace.pace import ConstantRate
from vivace.send.dues import worker_dues

START_NS = 1_700_000_000_123_456_789


def test_due_times_are_exact_to_the_nanosecond() -> None:
    dues = list(worker_dues(ConstantRate(4), START_NS, 1.0, 0, 1))
    assert dues == [(number, START_NS + number * 250_000_000) for number in range(4)]


@given(st.floats(1, 5000), st.floats(0, 3), st.integers(1, 7))
@settings(deadline=None, max_examples=50)
def test_together_the_workers_have_every_request_once(rate: float, duration: float, workers: int) -> None:
    schedule = ConstantRate(rate)
    shares = [list(worker_dues(schedule, START_NS, duration, worker, workers)) for worker in range(workers)]
    for worker, share in enumerate(shares):
        assert all(number % workers == worker for number, _ in share)
    together = sorted(due for share in shares for due in share)
    assert [number for number, _ in together] == list(range(schedule.count(duration)))
    assert [due for _, due in together] == sorted(due for _, due in together)
