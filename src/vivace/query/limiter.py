"""The closed model: so many workers, each held back by a token bucket of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite


@dataclass(frozen=True, slots=True)
class Limiter:
    """Each worker has an even share of the rate, and saves up tokens for a burst while it waits for an answer."""

    target_qps: float
    workers: int
    burst_multiplier: float = 2.0
    qps_multiplier: float = 1.0

    @property
    def per_worker_qps(self) -> float:
        """Tokens that a worker's bucket gains in a second."""
        return self.target_qps / self.workers * self.qps_multiplier

    @property
    def burst(self) -> int:
        """Tokens that a bucket holds at most."""
        return max(1, int(self.per_worker_qps * self.burst_multiplier))

    def position(self, worker: int, turn: int, plan_length: int) -> int:
        """Where in the plan a worker's n-th turn (from 0) is: workers begin at even distances from each other."""
        return (worker * plan_length // self.workers + turn) % plan_length

    def problems(self) -> Iterator[str]:
        """What is wrong with it, a line for each thing."""
        numbers = {"target QPS": self.target_qps, "QPS multiplier": self.qps_multiplier}
        for name, value in (numbers | {"burst multiplier": self.burst_multiplier}).items():
            if not (isfinite(value) and value > 0):
                yield f"{name}: {value} is not above zero; give a number that is"
        if self.workers < 1:
            yield f"total concurrency: {self.workers} workers; give at least 1"


class TokenBucket:
    """Full at first. Each token taken may have to be waited for, in turn, as golang.org/x/time/rate has it."""

    def __init__(self, per_second: float, burst: int, now_ns: int) -> None:
        self._per_ns = per_second / 1e9
        self._burst = float(burst)
        self._tokens = float(burst)
        self._last_ns = now_ns

    def take(self, now_ns: int) -> int:
        """Takes a token, and gives the moment from which it is there: now, or later."""
        self._fill(now_ns)
        self._tokens -= 1.0
        return now_ns if self._tokens >= 0 else now_ns + round(-self._tokens / self._per_ns)

    def try_take(self, now_ns: int) -> bool:
        """Takes a token if one is there."""
        self._fill(now_ns)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def _fill(self, now_ns: int) -> None:
        elapsed_ns = max(0, now_ns - self._last_ns)
        self._tokens = min(self._burst, self._tokens + elapsed_ns * self._per_ns)
        self._last_ns = max(now_ns, self._last_ns)
