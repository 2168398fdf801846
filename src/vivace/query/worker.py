"""The asking process: asks each query when it is due, whatever became of those before it (an open model)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from multiprocessing import parent_process
from pathlib import Path
from signal import SIG_IGN, SIGINT
from signal import signal as on_signal
from typing import Final

from vivace.ledger import QUERIES, LedgerWriter
from vivace.pace import ConstantRate
from vivace.query.answer import Answer
from vivace.query.board import Board, Count
from vivace.query.book import Asked, Book
from vivace.query.client import Client
from vivace.query.plan import Plan, Question
from vivace.query.settings import QuerySettings
from vivace.send.clock import Clock
from vivace.send.dues import worker_dues
from vivace.send.shared import SharedWords, words_of
from vivace.send.vus import VirtualUsers

TICK_NS: Final = 500_000_000
LONGEST_SLEEP: Final = 0.05
"""So that a stop is noticed in time."""
LATE_NS: Final = 100_000_000


def work(settings: QuerySettings, anchor_ns: int, shared: SharedWords, part: Path) -> None:
    """What runs in the process. The parent decides what Ctrl-C means."""
    on_signal(SIGINT, SIG_IGN)
    problem: BaseException | None = None
    try:
        with LedgerWriter(part, QUERIES) as ledger:
            asyncio.run(_work(settings, Clock(anchor_ns), Board(words_of(shared)), ledger))
    except* OSError as errors:
        problem = errors.exceptions[0]
    if problem is not None:
        sys.exit(f"{part}: the asking process cannot go on: {problem}; see that there is space left")


async def _work(settings: QuerySettings, clock: Clock, board: Board, ledger: LedgerWriter) -> None:
    async with Client(settings, clock) as client:
        await Worker(settings, clock, board, Book(board, ledger, clock), client).run()


class Worker:
    """Users who search, and who sometimes open the first trace that they find."""

    def __init__(self, settings: QuerySettings, clock: Clock, board: Board, book: Book, client: Client) -> None:
        self._settings = settings
        self._clock = clock
        self._counts = board.counts
        self._book = book
        self._client = client
        self._plan = Plan(settings.queries, settings.buckets, settings.plan, settings.seed)
        self._vus = VirtualUsers(settings.vus_min, settings.vus_max)
        self._next_tick_ns = 0
        self._orphaned = False

    async def run(self) -> None:
        """From the start to the last answer."""
        self._counts[Count.VUS] = self._vus.count
        self._counts[Count.READY] = 1
        async with asyncio.TaskGroup() as users:
            await self._ask_when_due(await self._start_ns(), users)
            while self._vus.busy:
                await self._sleep(LONGEST_SLEEP)
        self._book.save()

    async def _start_ns(self) -> int:
        while not (self._counts[Count.START_NS] or self._stopped()):
            await self._sleep(0.001)
        return self._counts[Count.START_NS]

    async def _ask_when_due(self, start_ns: int, users: asyncio.TaskGroup) -> None:
        schedule = ConstantRate(self._settings.queries_per_second)
        for number, due_ns in worker_dues(schedule, start_ns, self._settings.duration_s, 0, 1):
            if not await self._wait_until(due_ns):
                return
            question = self._plan.question(number, (due_ns - start_ns) / 1e9)
            if self._vus.take():
                self._counts[Count.VUS] = self._vus.count
                users.create_task(self._use(number, question, due_ns))
            else:
                self._drop(number, question, due_ns)

    async def _wait_until(self, due_ns: int) -> bool:
        """False when there is to be no more asking. Lets others run even when it is late."""
        while not self._stopped():
            remaining_ns = due_ns - self._clock.now_ns()
            await self._sleep(min(max(0.0, remaining_ns / 1e9), LONGEST_SLEEP))
            if self._clock.now_ns() >= due_ns:
                return not self._stopped()
        return False

    def _drop(self, number: int, question: Question, due_ns: int) -> None:
        late_ns = self._clock.now_ns() - due_ns
        late = f" {late_ns // 1_000_000} ms after it was due" if late_ns > LATE_NS else ""
        window = question.bucket.window(due_ns / 1e9)
        self._book.dropped(number, question, window, due_ns, f"all {self._vus.count} VUs were busy{late}")

    async def _use(self, number: int, question: Question, due_ns: int) -> None:
        """What one user does: a search, and perhaps a click."""
        try:
            window = question.bucket.window(due_ns / 1e9)
            asked = Asked(number, question, "search", window, due_ns, self._clock.now_ns())
            answer = await self._end(asked, self._client.search(question.query.traceql, window))
            first = answer.found.first if answer.found else None
            if first and question.click < self._settings.click_probability and not self._stopped():
                asked = Asked(number, question, "fetch", None, answer.ended_ns, self._clock.now_ns(), first)
                await self._end(asked, self._client.trace(first))
        finally:
            self._vus.give_back()

    async def _end(self, asked: Asked, request: Awaitable[Answer]) -> Answer:
        self._book.started()
        answer = await request
        self._book.ended(asked, answer)
        return answer

    def _stopped(self) -> bool:
        return bool(self._counts[Count.STOP]) or self._orphaned

    async def _sleep(self, seconds: float) -> None:
        """Lets others run, after what is done twice a second."""
        now_ns = self._clock.now_ns()
        if now_ns >= self._next_tick_ns:
            self._next_tick_ns = now_ns + TICK_NS
            self._book.save()
            parent = parent_process()
            self._orphaned = parent is not None and not parent.is_alive()
        await asyncio.sleep(seconds)
