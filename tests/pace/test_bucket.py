"""A bucket lets a burst through and then its rate; an adjusted rate climbs by steps and falls by half."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivace.errors import ConfigurationError
from vivace.pace import Adjustment, AdjustmentSettings, TokenBucket

S = 1_000_000_000


def test_a_full_bucket_lets_twice_the_rate_through_at_once() -> None:
    bucket = TokenBucket(100.0)
    now = 50 * S
    assert [bucket.take(100, now), bucket.take(100, now)] == [now, now]
    assert bucket.take(50, now) == now + S // 2
    assert bucket.take(50, now) == now + S


def test_an_idle_bucket_fills_up_to_the_burst_and_no_further() -> None:
    bucket = TokenBucket(100.0)
    bucket.take(200, 0)
    assert bucket.take(100, S) == S
    assert bucket.take(201, 1000 * S) == 1000 * S + S // 100


def test_more_than_the_bucket_holds_waits_for_all_of_it() -> None:
    assert TokenBucket(10.0).take(100, 0) == 8 * S


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 2 * S)), min_size=1, max_size=50), st.floats(1, 1000))
def test_never_more_than_the_rate_and_a_burst(takes: list[tuple[int, int]], rate: float) -> None:
    bucket, now, taken = TokenBucket(rate), 0, 0
    for events, pause in takes:
        now += pause
        taken += events
        allowed = bucket.take(events, now)
        assert allowed >= now
        assert taken <= rate * (allowed / S + 2) + 1e-3
        now = allowed


SETTINGS = AdjustmentSettings(least=100, most=1000, increase=100, slow_s=0.5)


def test_an_adjusted_rate_climbs_while_all_is_well() -> None:
    adjustment = Adjustment(SETTINGS)
    adjustment.adjust(0)
    for second in range(1, 30):
        adjustment.answered(True, 0.1)
        adjustment.adjust(second * S)
    assert adjustment.per_second == 1000
    assert (adjustment.raised, adjustment.lowered) == (9, 0)


@pytest.mark.parametrize(("good", "seconds"), [(False, 0.1), (True, 0.6)])
def test_a_bad_or_slow_answer_halves_it(good: bool, seconds: float) -> None:
    adjustment = Adjustment(SETTINGS)
    adjustment.per_second = 800
    adjustment.adjust(0)
    adjustment.answered(True, 0.1)
    adjustment.answered(good, seconds)
    assert not adjustment.adjust(S // 2)
    assert adjustment.adjust(S)
    assert adjustment.per_second == 400
    assert (adjustment.raised, adjustment.lowered) == (0, 1)


def test_without_answers_nothing_changes() -> None:
    adjustment = Adjustment(SETTINGS)
    assert not any(adjustment.adjust(second * S) for second in range(10))


@pytest.mark.parametrize(
    "wrong",
    [{"least": 0}, {"least": 2000}, {"increase": 0}, {"backoff": 1.0}, {"slow_s": 0}, {"interval_s": 0}],
)
def test_adjustments_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="adjustment"):
        AdjustmentSettings(**({"least": 100, "most": 1000, "increase": 100} | wrong))
