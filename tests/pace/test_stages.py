"""Rates that change: due times ascend, invert the integral, and the count is what is due before the end."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivace.errors import ConfigurationError
from vivace.pace import RequestSchedule, Schedule, Stages, parse_stage, parse_stages
from vivace.pace.stages import MOST_KNOTS

PIECES = st.lists(
    st.tuples(st.floats(0.01, 20), st.one_of(st.just(0.0), st.floats(0.01, 900)), st.floats(0.0, 900)),
    min_size=1,
    max_size=6,
).filter(lambda pieces: any(low + high > 0.1 for _, low, high in pieces))


def stages_of(pieces: list[tuple[float, float, float]]) -> Stages:
    return Stages.joined([((0.0, low), (length, high)) for length, low, high in pieces])


def assert_count_is_what_is_due(schedule: Schedule, duration: float) -> None:
    count = schedule.count(duration)
    assert count == 0 or schedule.due(count - 1, 1)[0] < duration
    assert schedule.due(count, 1)[0] >= duration


@given(PIECES, st.floats(0, 900))
@settings(deadline=None)
def test_count_is_the_number_of_due_times_before_the_end(
    pieces: list[tuple[float, float, float]], duration: float
) -> None:
    assert_count_is_what_is_due(stages_of(pieces), duration)


@given(PIECES)
@settings(deadline=None)
def test_due_times_ascend_and_all_events_are_due(pieces: list[tuple[float, float, float]]) -> None:
    schedule = stages_of(pieces)
    total = schedule.count(math.inf)
    due = schedule.due(0, total)
    assert np.isfinite(due).all()
    assert (np.diff(due) >= 0).all()
    assert (due < schedule.duration_s).all()
    area = sum(length * (low + high) / 2 for length, low, high in pieces)
    assert abs(total - area) <= 1 + 1e-9 * area
    assert np.isinf(schedule.due(total + 1, 3)).all()


@given(PIECES)
@settings(deadline=None)
def test_events_and_their_times_are_inverse(pieces: list[tuple[float, float, float]]) -> None:
    schedule = stages_of(pieces)
    total = schedule.count(math.inf)
    events = np.linspace(0, max(0, total - 1), 50)
    assert np.allclose(schedule.events(schedule.at(events)), events, rtol=1e-9, atol=1e-6)


@given(PIECES, st.integers(0, 1000), st.integers(1, 50), st.integers(1, 50))
@settings(deadline=None)
def test_due_times_do_not_depend_on_how_they_are_asked_for(
    pieces: list[tuple[float, float, float]], first: int, one: int, other: int
) -> None:
    schedule = stages_of(pieces)
    parts = np.concatenate([schedule.due(first, one), schedule.due(first + one, other)])
    assert np.array_equal(schedule.due(first, one + other), parts)


@given(PIECES, st.lists(st.integers(1, 500), min_size=1, max_size=20), st.floats(0.05, 1.0), st.floats(0, 900))
@settings(deadline=None)
def test_requests_are_due_with_their_events(
    pieces: list[tuple[float, float, float]], items: list[int], share: float, duration: float
) -> None:
    rate = stages_of(pieces)
    schedule = RequestSchedule(rate, np.array(items), share)
    assert_count_is_what_is_due(schedule, duration)
    numbers = range(30)
    due = schedule.due(0, 30)
    before = [sum(items[n % len(items)] for n in range(number)) / share for number in numbers]
    assert np.array_equal(due, rate.at(np.array(before)))


def test_a_ramp_is_half_done_when_a_quarter_of_its_events_were() -> None:
    ramp = parse_stages("ramp 0 -> 100/s for 10s")
    assert ramp.count(10.0) == 500
    assert ramp.at(np.array([0.0, 125.0])).tolist() == [0.0, 5.0]
    assert ramp.per_second_at(np.array([2.0, 11.0])).tolist() == [20.0, 0.0]


def test_nothing_is_due_where_the_rate_is_zero() -> None:
    schedule = parse_stages("0 for 10s, 10/s for 1s, 0 for 5s, 10/s for 1s")
    assert schedule.due(0, 1)[0] == 10.0
    assert schedule.due(10, 1)[0] == 16.0
    assert schedule.count(math.inf) == 20


def test_steps_a_spike_bursts_and_a_day() -> None:
    seconds = np.array([0.5, 1.5, 2.5])
    assert parse_stages("steps 10/s -> 30/s in 3 for 3s").per_second_at(seconds).tolist() == [10.0, 20.0, 30.0]
    assert parse_stages("spike 10/s -> 90/s of 1s for 3s").per_second_at(seconds).tolist() == [10.0, 90.0, 10.0]
    bursts = parse_stages("bursts 1/s -> 50/s of 1s every 2s for 3s")
    assert bursts.per_second_at(seconds).tolist() == [50.0, 1.0, 50.0]
    day = parse_stages("diurnal 10/s -> 110/s for 24h")
    assert day.per_second_at(np.array([0.0, 6.0, 12.0, 18.0]) * 3600) == pytest.approx([10, 60, 110, 60], rel=1e-3)
    assert day.count(86_400) == pytest.approx(60 * 86_400, rel=1e-4)


def test_a_wave_is_as_smooth_as_said() -> None:
    day = parse_stages("diurnal 0 -> 100/s every 60s for 120s")
    seconds = np.linspace(0, 119.9, 1000)
    wave = 50 * (1 - np.cos(2 * np.pi * seconds / 60))
    assert np.abs(day.per_second_at(seconds) - wave).max() < 0.06


def test_schedules_can_be_sent_to_other_processes() -> None:
    schedule = parse_stages("ramp 0 -> 100/s for 10s")
    again = pickle.loads(pickle.dumps(RequestSchedule(schedule, np.array([3, 4]))))  # noqa: S301 - our own
    assert np.array_equal(again.due(0, 50), RequestSchedule(schedule, np.array([3, 4])).due(0, 50))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("fast", "no stage of a schedule"),
        ("", "no stage of a schedule"),
        ("100/s", 'lacks "for"'),
        ("100/s for soon", "not a duration"),
        ("100/s for 0", "lasts no time"),
        ("hill 1/s -> 2/s for 1s", 'unknown shape "hill"; known are steady, ramp'),
        ("ramp 100/s for 1s", "needs two rates"),
        ("1/s -> 2/s for 1s", "needs one rate, or a shape"),
        ("ramp 0 -> 100/x for 1s", 'per "x"'),
        ("ramp 0 -> 100/s of 1s for 2s", 'has "of", which ramp does not have'),
        ("ramp 0 -> 100/s for 1s for 2s", "one thing twice"),
        ("steps 1/s -> 2/s in few for 2s", "in few"),
        ("steps 1/s -> 2/s in 1 for 2s", "has 1 steps"),
        ("bursts 1/s -> 2/s of 3s every 2s for 9s", "must be above 0 and below 2 s"),
        ("bursts 1/s -> 2/s of 1s for 9s", 'lacks "every"'),
        ("bursts 1/s -> 2/s every 0s for 9s", "repeats without end"),
    ],
)
def test_stages_that_cannot_be_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_stage(text)


@pytest.mark.parametrize(
    ("knots", "complaint"),
    [
        (((0.0, 0.0), (1.0, 0.0)), "nothing is ever due"),
        (((0.0, 1.0),), "takes no time"),
        (((1.0, 1.0), (0.5, 1.0)), "does not come after"),
        (((0.0, -1.0), (1.0, 1.0)), "is no rate"),
        (((0.0, 1.0), (math.inf, 1.0)), "does not come after"),
    ],
)
def test_knots_that_make_no_rate_are_refused(knots: tuple[tuple[float, float], ...], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        Stages(knots)


def test_too_many_bursts_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="changes too often"):
        parse_stages(f"bursts 1/s -> 2/s of 1ms every 2ms for {MOST_KNOTS}s")
