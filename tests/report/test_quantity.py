"""Numbers as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivace.report.quantity import clock, compact, count, digits, milliseconds, percent, quantity, size, whole


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.04567, "0.0457"),
        (1.5, "1.50"),
        (12.345, "12.3"),
        (999, "999"),
        (1000, "1,000"),
        (1234567, "1,234,567"),
    ],
)
def test_digits(value: float, text: str) -> None:
    assert digits(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (600_000, "spans/s", "600 k spans/s"),
        (1_240_000, "spans/s", "1.24 M spans/s"),
        (999_950, "spans/s", "1.00 M spans/s"),
        (523, "spans/s", "523 spans/s"),
        (0, "spans/s", "0 spans/s"),
        (5_960_000_000, "B", "5.96 GB"),
        (12, "B", "12.0 B"),
    ],
)
def test_compact(value: float, unit: str, text: str) -> None:
    assert plain(compact(value, unit)) == text


@pytest.mark.parametrize(("value", "text"), [(2, "2 traces"), (39.33, "39.3 traces"), (12_000, "12.0 k traces")])
def test_count(value: float, text: str) -> None:
    assert plain(count(value, "traces")) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 ms"), (0.42, "0.420 ms"), (999.4, "999 ms"), (1234, "1.23 s"), (300_000, "5.00 min")]
)
def test_milliseconds(value: float, text: str) -> None:
    assert plain(milliseconds(value)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (100, "100 %"),
        (99.99999, "99.999 %"),
        (99.953, "99.953 %"),
        (92.1666, "92.17 %"),
        (0, "0 %"),
        (0.0001, "0.01 %"),
    ],
)
def test_percent_is_whole_only_when_it_is(value: float, text: str) -> None:
    assert plain(percent(value)) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (99.5, "%", "99.5 %"),
        (2000, "ms", "2.00 s"),
        (0, "traces", "0 traces"),
        (4e9, "bytes", "4.00 GB"),
        (1.25, "cores", "1.25 cores"),
    ],
)
def test_a_quantity_is_written_in_the_way_of_its_unit(value: float, unit: str, text: str) -> None:
    assert plain(quantity(value, unit)) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0:00"), (65, "1:05"), (0.5, "0:00.5"), (3750, "1:02:30"), (59.96, "1:00")]
)
def test_clock(value: float, text: str) -> None:
    assert clock(value) == text


def test_whole_and_size() -> None:
    assert whole(12_345_678) == "12,345,678"
    assert plain(size(1_200_000_000)) == "1.20 GB"


@given(value=st.floats(min_value=1e-3, max_value=1e14))
@settings(max_examples=100, deadline=None)
def test_compact_says_the_number_to_half_a_percent(value: float) -> None:
    number, _, prefix = plain(compact(value)).partition(" ")
    said = float(number.replace(",", "")) * {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}[prefix]
    assert said == pytest.approx(value, rel=0.0051)
