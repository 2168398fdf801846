"""The open model: each question is asked when it is due, whatever became of those before it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final

from vivace.pace import Schedule
from vivace.query.board import Count
from vivace.query.book import Book
from vivace.query.plan import Plan, Question
from vivace.query.watch import LONGEST_SLEEP, Watch
from vivace.send.clock import Clock
from vivace.send.dues import worker_dues
from vivace.send.shared import Words
from vivace.send.vus import VirtualUsers

LATE_NS: Final = 100_000_000
Follow = Callable[[Question, int, int], Coroutine[None, None, None]]
"""What a user does with a question: its number, and when it is due in Unix nanoseconds."""


class OpenModel:
    """Users come as they are needed, up to a bound; what falls due with none free is dropped."""

    def __init__(
        self,
        schedule: Schedule,
        plan: Plan,
        vus: VirtualUsers,
        *,
        clock: Clock,
        watch: Watch,
        book: Book,
        counts: Words,
    ) -> None:
        self._schedule = schedule
        self._plan = plan
        self._vus = vus
        self._clock = clock
        self._watch = watch
        self._book = book
        self._counts = counts

    async def run(self, start_ns: int, duration_s: float, elapsed_s: float, follow: Follow) -> None:
        """Until the last user has ended."""
        async with asyncio.TaskGroup() as users:
            for number, due_ns in worker_dues(self._schedule, start_ns, duration_s, 0, 1):
                if not await self._wait_until(due_ns):
                    return
                question = self._plan.question(number, (due_ns - start_ns) / 1e9 + elapsed_s)
                if self._vus.take():
                    self._counts[Count.VUS] = self._vus.count
                    users.create_task(self._use(follow(question, number, due_ns)))
                else:
                    self._drop(question, number, due_ns)

    async def _wait_until(self, due_ns: int) -> bool:
        """False when there is to be no more asking. Lets others run even when it is late."""
        while not self._watch.stopped:
            remaining_ns = due_ns - self._clock.now_ns()
            await asyncio.sleep(min(max(0.0, remaining_ns / 1e9), LONGEST_SLEEP))
            if self._clock.now_ns() >= due_ns:
                return not self._watch.stopped
        return False

    async def _use(self, following: Coroutine[None, None, None]) -> None:
        try:
            await following
        finally:
            self._vus.give_back()

    def _drop(self, question: Question, number: int, due_ns: int) -> None:
        late_ns = self._clock.now_ns() - due_ns
        late = f" {late_ns // 1_000_000} ms after it was due" if late_ns > LATE_NS else ""
        window = question.bucket.window(due_ns / 1e9) if question.bucket else None
        self._book.dropped(number, question, window, due_ns, f"all {self._vus.count} VUs were busy{late}")
