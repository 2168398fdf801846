"""The closed model: so many workers, each held back by a token bucket of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

from vivace.pace import TokenBucket


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

    def bucket(self) -> TokenBucket:
        """Of one worker; full."""
        return TokenBucket(self.per_worker_qps, self.burst / self.per_worker_qps)

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
