"""How fast a tenant may write: a bucket of tokens for each, one for a byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from vivace.backend.receive.answer import Cause, NotTaken
from vivace.backend.tenant.limits import Ingestion

MOST_BUCKETS: Final = 10_000
"""With more, those that were not used for the longest time, and so are full or nearly so, are forgotten."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float

    def fill(self, rate: int, burst: int, now: float) -> None:
        self.tokens = min(burst, self.tokens + (now - self.filled_at) * rate)
        self.filled_at = now


class Rates:
    """The buckets of all tenants."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def admit(self, tenant: str, size: int, limits: Ingestion) -> NotTaken | None:
        """Takes so many tokens; or says why not, and when they will be there."""
        rate, burst = limits.rate_limit_bytes, limits.burst_size_bytes or limits.rate_limit_bytes
        if not rate:
            return None
        told = f"(local: {rate} bytes/s, global: 0 bytes/s, burst: {burst} bytes)"
        if size > burst:
            return NotTaken(
                Cause.ABOVE_BURST,
                f"RATE_LIMITED: batch size ({size} bytes) exceeds ingestion limit {told} while adding {size} bytes for"
                f" user {tenant}. consider reducing batch size or increasing rate limit.",
            )
        bucket = self._bucket(tenant, rate, burst)
        if size > bucket.tokens:
            return NotTaken(
                Cause.OVERLOADED,
                f"RATE_LIMITED: ingestion rate limit {told} exceeded while adding {size} bytes for user {tenant}."
                " consider increasing the limit or reducing ingestion rate.",
                retry_s=(size - bucket.tokens) / rate,
            )
        bucket.tokens -= size
        return None

    def _bucket(self, tenant: str, rate: int, burst: int) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.get(tenant)
        if bucket is None:
            if len(self._buckets) >= MOST_BUCKETS:
                self._forget_idle()
            bucket = self._buckets[tenant] = _Bucket(burst, now)
        bucket.fill(rate, burst, now)
        return bucket

    def _forget_idle(self) -> None:
        by_use = sorted(self._buckets.items(), key=lambda item: item[1].filled_at)
        self._buckets = dict(by_use[len(by_use) // 2 :])
