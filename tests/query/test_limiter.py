"""Workers have even shares of the rate, even distances in the plan, and bursts of whole tokens."""

from __future__ import annotations

from itertools import pairwise

import pytest

from vivace.query.limiter import Limiter

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("limiter", "per_worker", "burst"),
    [
        (Limiter(50, 50), 1.0, 2),
        (Limiter(50, 50, 2.0, 1.5), 1.5, 3),
        (Limiter(50, 200), 0.25, 1),
        (Limiter(100, 10, 0.01), 10.0, 1),
        (Limiter(100, 10, 1.99), 10.0, 19),
    ],
)
def test_each_worker_has_its_share(limiter: Limiter, per_worker: float, burst: int) -> None:
    assert (limiter.per_worker_qps, limiter.burst) == (per_worker, burst)


def test_workers_begin_at_even_distances_and_go_round() -> None:
    limiter = Limiter(50, 4)
    assert [limiter.position(worker, 0, 10) for worker in range(4)] == [0, 2, 5, 7]
    assert [limiter.position(3, turn, 10) for turn in range(5)] == [7, 8, 9, 0, 1]
    assert {Limiter(50, 50).position(worker, 0, 3) for worker in range(50)} == {0, 1, 2}


def test_a_burst_is_at_once_and_then_the_rate_holds() -> None:
    bucket = Limiter(30, 3, 0.5).bucket()  # 10 a second, a burst of 5
    due = []
    now = 7 * SECOND
    for _ in range(12):
        now = bucket.take(1, now)
        due.append(now - 7 * SECOND)
    assert due[:5] == [0] * 5
    assert {later - earlier for earlier, later in pairwise(due[4:])} == {SECOND // 10}


def test_tokens_are_saved_up_while_an_answer_is_awaited() -> None:
    bucket = Limiter(10, 1, 0.3).bucket()  # a burst of 3
    for _ in range(3):
        bucket.take(1, 0)
    assert [bucket.take(1, 10 * SECOND) for _ in range(4)] == [10 * SECOND] * 3 + [10 * SECOND + SECOND // 10]
