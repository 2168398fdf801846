"""The asking process: puts together who asks, what, when, of whom, and who writes down what became of it."""

from __future__ import annotations

import asyncio
import sys
from contextlib import ExitStack
from pathlib import Path

from prometheus_client import disable_created_metrics

from vivace.ledger import QUERIES, LedgerWriter
from vivace.query.board import Board, Count
from vivace.query.book import Book
from vivace.query.client import Client
from vivace.query.closed_model import ClosedModel
from vivace.query.exposition import Exposition
from vivace.query.keeper import ANSWERS, Keeper
from vivace.query.known import KnownTraces
from vivace.query.limiter import Limiter
from vivace.query.open_model import OpenModel
from vivace.query.plan import Plan
from vivace.query.settings import QuerySettings
from vivace.query.user import Users
from vivace.query.watch import TICK_NS, Watch
from vivace.send.clock import Clock
from vivace.send.shared import SharedWords, words_of
from vivace.send.vus import VirtualUsers


def work(settings: QuerySettings, anchor_ns: int, shared: SharedWords, part: Path, answers: Path) -> None:
    """What runs in the process."""
    problem: BaseException | None = None
    board, clock = Board(words_of(shared)), Clock(anchor_ns)
    try:
        with ExitStack() as stack:
            ledger = stack.enter_context(LedgerWriter(part, QUERIES))
            keeper = None
            if settings.sent is not None:
                writer = stack.enter_context(LedgerWriter(answers, ANSWERS))
                keeper = Keeper(writer, max(1, round(settings.answers_per_s * TICK_NS / 1e9)))
            exposition = exposition_of(settings)
            asyncio.run(_work(settings, clock, board, Book(board, ledger, clock, keeper, exposition)))
    except* OSError as errors:
        problem = errors.exceptions[0]
    if problem is not None:
        sys.exit(f"{part}: the asking process cannot go on: {problem}; see that there is space left")


def exposition_of(settings: QuerySettings) -> Exposition | None:
    """The load's metrics, already served; None when they are to be nowhere."""
    if settings.metrics_port is None:
        return None
    disable_created_metrics()  # type: ignore[no-untyped-call]
    exposition = Exposition(settings.namespace, [query.name for query in settings.queries])
    exposition.serve(settings.metrics_port)
    return exposition


async def _work(settings: QuerySettings, clock: Clock, board: Board, book: Book) -> None:
    async with Client(settings, clock) as client:
        await Worker(settings, clock, board, book, client).run()


class Worker:
    """Users who ask, and who sometimes open what they find."""

    def __init__(self, settings: QuerySettings, clock: Clock, board: Board, book: Book, client: Client) -> None:
        self._settings = settings
        self._clock = clock
        self._board = board
        self._book = book
        self._client = client
        self._known = KnownTraces(settings.sent) if settings.sent is not None else None
        self._seen = 0
        self._watch = Watch(board.counts, clock, self._duties)
        self._plan = Plan(
            settings.queries,
            settings.buckets,
            settings.plan,
            settings.seed,
            journeys=settings.journeys,
            click_probability=settings.click_probability,
            repeat_probability=settings.repeat_probability,
        )

    async def run(self) -> None:
        """From the start to the last answer."""
        settings, counts = self._settings, self._board.counts
        model = self._model()
        users = Users(self._client, self._book, self._clock, self._watch.pause, self._known)
        await self._client.prepare()
        counts[Count.READY] = 1
        watching = asyncio.create_task(self._watch.run())
        try:
            start_ns = await self._watch.start_ns()
            if not self._watch.stopped:
                await model.run(start_ns, settings.duration_s, settings.elapsed_s, users.follow)
        finally:
            watching.cancel()
            self._book.save()

    def _model(self) -> OpenModel | ClosedModel:
        settings, counts = self._settings, self._board.counts
        if isinstance(settings.pace, Limiter):
            counts[Count.VUS] = settings.pace.workers
            return ClosedModel(settings.pace, self._plan, settings.seed, self._clock, self._watch)
        vus = VirtualUsers(settings.vus_min, settings.vus_max)
        counts[Count.VUS] = vus.count
        return OpenModel(
            settings.pace, self._plan, vus, clock=self._clock, watch=self._watch, book=self._book, counts=counts
        )

    def _duties(self) -> None:
        """Twice a second."""
        self._book.save()
        if self._known is not None:
            self._seen, acknowledged = self._board.acknowledged.since(self._seen)
            self._known.add(acknowledged)
