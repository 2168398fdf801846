from __future__ import annotations

import pytest

from vivace.backend.receive import rate
from vivace.backend.receive.answer import Cause, NotTaken
from vivace.backend.receive.rate import Rates
from vivace.backend.tenant.limits import Ingestion

LIMITS = Ingestion(rate_limit_bytes=100, burst_size_bytes=250)


class Clock:
    now = 5.0

    def __call__(self) -> float:
        return self.now


def refused(found: NotTaken | None) -> NotTaken:
    assert found is not None
    return found


def test_a_burst_is_taken_and_then_as_much_as_flows() -> None:
    clock = Clock()
    rates = Rates(clock)
    assert rates.admit("a", 250, LIMITS) is None
    refusal = refused(rates.admit("a", 50, LIMITS))
    assert refusal.cause is Cause.OVERLOADED
    assert refusal.retry_s == 0.5
    assert refusal.message.startswith(
        "RATE_LIMITED: ingestion rate limit (local: 100 bytes/s, global: 0 bytes/s, burst: 250 bytes) exceeded"
        " while adding 50 bytes for user a."
    )
    assert rates.admit("b", 250, LIMITS) is None
    clock.now += 0.5
    assert rates.admit("a", 50, LIMITS) is None
    assert rates.admit("a", 1, LIMITS) is not None
    clock.now += 100
    assert rates.admit("a", 250, LIMITS) is None
    assert rates.admit("a", 1, LIMITS) is not None


def test_what_is_larger_than_a_burst_is_never_taken() -> None:
    refusal = refused(Rates().admit("a", 251, LIMITS))
    assert not refusal.cause.retryable
    assert refusal.message.startswith(
        "RATE_LIMITED: batch size (251 bytes) exceeds ingestion limit (local: 100 bytes/s"
    )
    without = Ingestion(rate_limit_bytes=100)
    assert Rates().admit("a", 100, without) is None
    assert Rates().admit("a", 101, without) is not None


def test_without_a_limit_everything_is_taken() -> None:
    assert Rates().admit("a", 1 << 40, Ingestion()) is None


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "MOST_BUCKETS", 10)
    clock = Clock()
    rates = Rates(clock)
    for number in range(100):
        clock.now += 0.001
        rates.admit(str(number), 250, LIMITS)
        assert rates.admit(str(number), 250, LIMITS) is not None
    assert len(rates._buckets) <= 10
