"""Durations, sizes, counts and rates are read and written without loss."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivace.units import (
    format_count,
    format_duration,
    format_rate,
    format_size,
    parse_count,
    parse_duration,
    parse_rate,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5m", 300),
        ("1h30m", 5400),
        ("250ms", 0.25),
        ("1.5s", 1.5),
        (".5s", 0.5),
        ("20us", 2e-5),
        ("20µs", 2e-5),
        ("20μs", 2e-5),
        ("7ns", 7e-9),
        ("1d", 86_400),
        (" 30s ", 30),
        ("0", 0),
        ("0s", 0),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "5", "m", "5 m", "-5m", "5m-", "1.2.3s", "5minutes", "five minutes", "1e3s", "∞", "\u0665m", "9" * 400 + "s"],
)
def test_other_text_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration such as|has the unknown unit"):
        parse_duration(text)


def test_an_unknown_unit_of_time_is_named() -> None:
    with pytest.raises(ValueError, match='"5x" has the unknown unit "x"; durations have ns, us, ms, s, m, h or d'):
        parse_duration("5x")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (300, "5m"),
        (5400, "1h30m"),
        (90.5, "1m30.5s"),
        (3600.25, "1h0.25s"),
        (0.25, "250ms"),
        (1.5, "1.5s"),
        (2e-5, "20us"),
        (7e-9, "7ns"),
        (86_400, "24h"),
    ],
)
def test_durations_are_written_shortly(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(0, 10**15))
def test_a_written_duration_is_read_as_the_same_nanoseconds(nanoseconds: int) -> None:
    seconds = nanoseconds / 10**9
    assert round(parse_duration(format_duration(seconds)) * 10**9) == nanoseconds


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_what_is_no_amount_is_not_written(value: float) -> None:
    for write in (format_duration, format_size, format_count, format_rate):
        with pytest.raises(ValueError, match="is not a"):
            write(value)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512", 512),
        ("512B", 512),
        ("1.2MB", 1_200_000),
        ("1.2 MB", 1_200_000),
        ("3kB", 3_000),
        ("3KB", 3_000),
        ("64MiB", 2**26),
        ("8Gi", 2**33),
        ("8G", 8_000_000_000),
        ("1e3", 1_000),
        ("0.5kB", 500),
    ],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1MB", "1.2.3MB", "a lot", "1e400", "9" * 400])
def test_other_text_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size such as"):
        parse_size(text)


@pytest.mark.parametrize("text", ["5mb", "5Mb", "5XB", "5MBB"])
def test_an_unknown_unit_of_size_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=f'"{text}" has the unknown unit "{text[1:]}"'):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10k/s", 10_000),
        ("600/m", 10),
        ("600/min", 10),
        ("36/h", 0.01),
        ("250", 250),
        ("1.2MB/s", 1.2e6),
        ("1M / s", 1e6),
    ],
)
def test_rates_are_read(text: str, rate: float) -> None:
    assert parse_rate(text) == rate


def test_a_rate_per_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match='"10/y" is per "y"; rates are per s, m, h or d, such as 10k/s'):
        parse_rate("10/y")


@pytest.mark.parametrize("text", ["", "/s", "fast", "10/s/s"])
def test_other_text_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a rate such as|rates are per"):
        parse_rate(text)


def test_counts_are_read_and_written() -> None:
    assert parse_count("1.5M") == 1_500_000
    assert format_count(1_500_000) == "1.5M"
    assert format_count(0) == "0"
    assert format_count(999.96) == "1k"
    assert format_count(0.125) == "0.125"
    assert format_size(1_200_000) == "1.2MB"
    assert format_size(12) == "12B"
    assert format_rate(10_000) == "10k/s"


@given(st.floats(0.001, 1e17))
def test_a_written_amount_is_read_to_four_digits(amount: float) -> None:
    assert parse_count(format_count(amount)) == pytest.approx(amount, rel=5.01e-4, abs=1e-4)
    assert parse_rate(format_rate(amount)) == pytest.approx(amount, rel=5.01e-4, abs=1e-4)


@given(st.integers(0, 10**17))
def test_a_written_size_is_read_as_itself_and_written_alike(size: int) -> None:
    text = format_size(size)
    assert parse_size(text) == pytest.approx(size, rel=5.01e-4)
    assert format_size(parse_size(text)) == text
