"""Schedules are pure: due times ascend, and the count is what is due before the end."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivace.errors import ConfigurationError
from vivace.pace import ConstantRate

RATES = st.floats(0.01, 20_000)


def test_events_of_a_constant_rate_are_evenly_spaced() -> None:
    assert ConstantRate(4.0).due(2, 4).tolist() == [0.5, 0.75, 1.0, 1.25]


def test_no_events_are_due_in_no_time() -> None:
    assert ConstantRate(10.0).count(0.0) == 0
    assert ConstantRate(10.0).due(5, 0).tolist() == []


def test_an_event_due_at_the_very_end_is_not_counted() -> None:
    assert ConstantRate(10.0).count(1.0) == 10
    assert ConstantRate(10.0).count(1.01) == 11


@given(RATES, st.floats(0, 1000))
@settings(deadline=None)
def test_count_is_the_number_of_due_times_before_the_end(rate: float, duration: float) -> None:
    schedule = ConstantRate(rate)
    count = schedule.count(duration)
    assert count == 0 or schedule.due(count - 1, 1)[0] < duration
    assert schedule.due(count, 1)[0] >= duration


@given(RATES, st.integers(0, 10**9), st.integers(1, 100), st.integers(1, 100))
@settings(deadline=None)
def test_due_times_do_not_depend_on_how_they_are_asked_for(rate: float, first: int, one: int, other: int) -> None:
    schedule = ConstantRate(rate)
    whole = schedule.due(first, one + other)
    parts = np.concatenate([schedule.due(first, one), schedule.due(first + one, other)])
    assert np.array_equal(whole, parts)
    assert np.all(np.diff(whole) >= 0)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.inf, math.nan])
def test_a_rate_must_be_above_zero(rate: float) -> None:
    with pytest.raises(ConfigurationError, match="not above zero"):
        ConstantRate(rate)
