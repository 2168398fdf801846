"""The clock goes with the monotonic one, and notices when the system's is set."""

from __future__ import annotations

import time

import pytest

from vivace.send.clock import Clock


def test_it_shows_unix_time() -> None:
    assert abs(Clock().now_ns() - time.time_ns()) < 100_000_000


def test_it_never_goes_back() -> None:
    clock = Clock()
    readings = [clock.now_ns() for _ in range(1000)]
    assert readings == sorted(readings)


def test_one_anchor_gives_one_time() -> None:
    clock = Clock()
    before, other, after = clock.now_ns(), Clock(clock.anchor_ns).now_ns(), clock.now_ns()
    assert before <= other <= after


@pytest.mark.parametrize("step_s", [3600, -5])
def test_a_system_clock_that_is_set_is_noticed(step_s: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    assert clock.step_ns() == 0
    real = time.time_ns
    monkeypatch.setattr("vivace.send.clock.time_ns", lambda: real() + step_s * 1_000_000_000)
    assert clock.step_ns() / 1e9 == pytest.approx(step_s, abs=0.1)
    assert abs(clock.now_ns() - real()) < 100_000_000
