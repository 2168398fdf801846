"""The closed model: workers who go through the plan, each as quickly as the target answers and its bucket allows."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Final

from vivace.query.limiter import Limiter
from vivace.query.open_model import Follow
from vivace.query.plan import Plan
from vivace.query.watch import Watch
from vivace.send.clock import Clock

LONGEST_DELAY_S: Final = 1.0
"""Workers begin within this time."""


class ClosedModel:
    """A query is due when the worker's bucket has a token for it."""

    def __init__(self, limiter: Limiter, plan: Plan, seed: int, clock: Clock, watch: Watch) -> None:
        self._limiter = limiter
        self._plan = plan
        self._seed = seed
        self._clock = clock
        self._watch = watch
        self._start_ns = self._end_ns = 0
        self._elapsed_s = 0.0

    async def run(self, start_ns: int, duration_s: float, elapsed_s: float, follow: Follow) -> None:
        """Until the last worker has ended."""
        self._start_ns, self._end_ns = start_ns, start_ns + round(duration_s * 1e9)
        self._elapsed_s = elapsed_s
        draw = Random(self._seed)  # noqa: S311 - nobody's secret
        async with asyncio.TaskGroup() as workers:
            for worker in range(self._limiter.workers):
                delay_ns = round(draw.random() * LONGEST_DELAY_S * 1e9)
                workers.create_task(self._work(worker, delay_ns, follow))

    async def _work(self, worker: int, delay_ns: int, follow: Follow) -> None:
        limiter, turn = self._limiter, 0
        if not await self._watch.pause(self._start_ns + delay_ns):
            return
        bucket = limiter.bucket()
        while True:
            due_ns = bucket.take(1, self._clock.now_ns())
            if due_ns >= self._end_ns or not await self._watch.pause(due_ns):
                return
            number = turn * limiter.workers + worker
            position = limiter.position(worker, turn, len(self._plan))
            question = self._plan.question(number, self._elapsed(due_ns), position)
            await follow(question, number, due_ns)
            turn += 1

    def _elapsed(self, due_ns: int) -> float:
        return (due_ns - self._start_ns) / 1e9 + self._elapsed_s
