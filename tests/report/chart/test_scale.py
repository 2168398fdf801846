"""Axes hold their values and are labelled with round numbers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivace.report.chart.scale import counting, elapsed, fitting, linear, logarithmic, short
from vivace.report.quantity import milliseconds, whole

VALUES = st.lists(st.floats(min_value=1e-3, max_value=1e9), min_size=1, max_size=20)


@given(values=VALUES)
@settings(max_examples=100, deadline=None)
def test_every_value_lies_on_the_axis_and_in_order(values: list[float]) -> None:
    for scale in (linear(values, str), logarithmic(values, str)):
        assert scale.low <= min(values) * (1 + 1e-6)
        assert scale.high >= max(values) * (1 - 1e-6)
        places = [scale.place(value) for value in sorted(values)]
        assert places == sorted(places)
        assert 2 <= len(scale.ticks) <= 14


@pytest.mark.parametrize(
    ("highest", "labels"),
    [
        (600_000, ["0", "200000", "400000", "600000"]),
        (1.09, ["0", "0.5", "1", "1.5"]),
        (3, ["0", "1", "2", "3"]),
        (0, ["0", "0.25"]),
    ],
)
def test_a_linear_axis_begins_at_zero_and_has_round_numbers(highest: float, labels: list[str]) -> None:
    assert [tick.text for tick in linear([highest], lambda value: f"{value:g}").ticks] == labels


@pytest.mark.parametrize(
    ("highest", "labels"),
    [
        (0, ["0", "1"]),
        (1, ["0", "1"]),
        (3, ["0", "1", "2", "3"]),
        (10, ["0", "5", "10"]),
        (7, ["0", "2", "4", "6", "8"]),
    ],
)
def test_counts_are_whole_at_every_tick(highest: float, labels: list[str]) -> None:
    assert [tick.text for tick in counting([highest], whole).ticks] == labels


def test_an_axis_without_values_still_has_bounds() -> None:
    scale = linear([], milliseconds)
    assert scale.high > scale.low


def test_values_decades_apart_get_a_logarithmic_axis() -> None:
    assert fitting([1.0, 5000.0], milliseconds).logarithmic
    assert not fitting([10.0, 30.0], milliseconds).logarithmic
    assert not fitting([0.0, 0.0], milliseconds).logarithmic
    ticks = [tick.text.replace("\u00a0", " ") for tick in fitting([1.0, 5000.0], milliseconds).ticks]
    assert ticks == ["1 ms", "10 ms", "100 ms", "1 s"]


@pytest.mark.parametrize("span", [1, 7, 30, 61, 600, 3600, 86_400, 400_000])
def test_time_has_a_readable_number_of_ticks_from_the_start(span: float) -> None:
    ticks = elapsed(span)
    assert ticks[0].place == 0
    assert ticks[0].text == "0:00"
    assert 2 <= len(ticks) <= 11
    assert all(0 <= tick.place <= 1 for tick in ticks)


@pytest.mark.parametrize(
    ("text", "shorter"), [("1.50 s", "1.5 s"), ("2.00 s", "2 s"), ("100 ms", "100 ms"), ("0.250", "0.25")]
)
def test_labels_lose_the_zeros_that_say_nothing(text: str, shorter: str) -> None:
    assert short(text) == shorter
