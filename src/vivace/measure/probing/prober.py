"""The probing process: draws acknowledged traces and polls the target until each is there, as it was sent."""

from __future__ import annotations

import asyncio
import random
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from signal import SIG_IGN, SIGINT
from signal import signal as on_signal
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from vivace.ledger import PROBES, LedgerWriter, row
from vivace.measure.probing.board import Board, Count
from vivace.measure.probing.reader import NoAnswer, Reader
from vivace.measure.probing.sent import SentTrace, sent_trace
from vivace.measure.probing.settings import ProbeSettings
from vivace.measure.probing.spans import Comparison, compare, spans_of
from vivace.send.board import Acknowledged
from vivace.send.clock import Clock
from vivace.send.shared import SharedWords, words_of
from vivace.telemetry.template import Template

FIRST_WAIT_SECONDS: Final = 0.02
LONGEST_WAIT_SECONDS: Final = 1.0
GROWTH: Final = 1.5


class Stop(NamedTuple):
    """The parent's last message: no more draws, and how long those that are drawn may still take."""

    grace_s: float


class Drawn(NamedTuple):
    """A trace to be read back."""

    acknowledged: Acknowledged
    sent: SentTrace


class Reading(NamedTuple):
    """What one poll found: how the trace compares (None: not there at all), or why nothing is known."""

    comparison: Comparison | None
    problem: str | None = None


def work(settings: ProbeSettings, orders: Connection, shared: SharedWords, part: Path) -> None:
    """What runs in the process. The parent decides what Ctrl-C means."""
    on_signal(SIGINT, SIG_IGN)
    problem: BaseException | None = None
    try:
        with LedgerWriter(part, PROBES) as ledger:
            asyncio.run(Prober(settings, orders, Board(words_of(shared)), ledger).run())
    except* OSError as errors:
        problem = errors.exceptions[0]
    if problem is not None:
        sys.exit(f"{part}: the probing process cannot go on: {problem}; see that there is space left")


class Prober:
    """Draws at most so many traces a second, each the newest of those acknowledged when it is time for it."""

    def __init__(self, settings: ProbeSettings, orders: Connection, board: Board, ledger: LedgerWriter) -> None:
        self._settings = settings
        self._orders = orders
        self._board = board
        self._ledger = ledger
        self._template = Template.open(settings.template)
        self._clock = Clock()
        self._draw = random.Random(settings.seed)  # noqa: S311 - which trace is probed is no secret
        self._newest: Acknowledged | None = None
        self._news = asyncio.Event()
        self._last_ns: int | None = None
        """When all must have ended, once there are no more draws."""

    async def run(self) -> None:
        """Until the parent says stop (or is gone), and every drawn trace has its outcome."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._orders.fileno(), self._receive)
        settings = self._settings
        async with Reader(settings.query_url, settings.timeout_s, settings.all_headers()) as reader:
            self._board.counts[Count.READY] = 1
            async with asyncio.TaskGroup() as probes:
                while (acknowledged := await self._next()) is not None:
                    self._board.counts[Count.DRAWN] += 1
                    probes.create_task(self._probe(acknowledged, reader))
                    await self._pause()
        loop.remove_reader(self._orders.fileno())

    def _receive(self) -> None:
        """Takes the parent's messages; its end is an order to stop at once."""
        try:
            while self._orders.poll():
                self._take(self._orders.recv())
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_reader(self._orders.fileno())
            self._take(Stop(0.0))

    def _take(self, order: Stop | list[Acknowledged]) -> None:
        if isinstance(order, Stop):
            self._last_ns = self._clock.now_ns() + round(order.grace_s * 1e9)
        else:
            self._newest = max(order, key=lambda acknowledged: acknowledged.acknowledged_ns)
        self._news.set()

    async def _next(self) -> Acknowledged | None:
        """The newest of what is acknowledged from now on; None when there are no more draws."""
        self._newest = None
        while self._newest is None and self._last_ns is None:
            self._news.clear()
            await self._news.wait()
        return self._newest if self._last_ns is None else None

    async def _pause(self) -> None:
        """Until the next draw, unless there is none."""
        end = asyncio.get_running_loop().time() + 1 / self._settings.per_second
        while self._last_ns is None and (remaining := end - asyncio.get_running_loop().time()) > 0:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), remaining)
            except TimeoutError:
                return

    async def _probe(self, acknowledged: Acknowledged, reader: Reader) -> None:
        """Polls one trace, ever less often, until it is there or patience ends."""
        settings, draw = self._settings, self._draw.random()
        drawn = Drawn(
            acknowledged, await asyncio.to_thread(sent_trace, self._template, settings.seed, acknowledged, draw)
        )
        give_up_ns = self._clock.now_ns() + round(settings.patience_s * 1e9)
        wait, polls = FIRST_WAIT_SECONDS, 0
        while True:
            polls += 1
            reading = await _read(reader, drawn.sent)
            now_ns = self._clock.now_ns()
            if reading.comparison is not None and reading.comparison.complete:
                self._complete(drawn, polls, reading.comparison, now_ns)
                return
            if now_ns >= give_up_ns or (self._last_ns is not None and now_ns >= self._last_ns):
                self._give_up(drawn, polls, reading, patient=now_ns >= give_up_ns)
                return
            await asyncio.sleep(wait)
            wait = min(wait * GROWTH, LONGEST_WAIT_SECONDS)

    def _complete(self, drawn: Drawn, polls: int, comparison: Comparison, now_ns: int) -> None:
        if comparison.difference is None:
            self._board.visible.put(now_ns - drawn.acknowledged.acknowledged_ns)
        outcome = Count.FOUND if comparison.difference is None else Count.WRONG
        self._write(drawn, polls, outcome, comparison.difference, now_ns)

    def _give_up(self, drawn: Drawn, polls: int, reading: Reading, patient: bool) -> None:
        """Missing, when the target said so at the end of all patience; otherwise nobody knows."""
        waited_s = (self._clock.now_ns() - drawn.acknowledged.acknowledged_ns) / 1e9
        found = 0 if reading.comparison is None else reading.comparison.found
        spans = f"{found} of {len(drawn.sent.spans)} spans were there {waited_s:.1f} s after the acknowledgement"
        message = reading.problem or (spans if patient else f"{spans}, when the run ended")
        missing = reading.problem is None and patient
        self._write(drawn, polls, Count.MISSING if missing else Count.UNCHECKED, message)

    def _write(
        self, drawn: Drawn, polls: int, outcome: Count, message: str | None, visible_ns: int | None = None
    ) -> None:
        values = {
            "request": drawn.acknowledged.number,
            "trace_id": drawn.sent.trace_id.hex(),
            "acknowledged_ns": drawn.acknowledged.acknowledged_ns,
            "visible_ns": visible_ns,
            "polls": polls,
            "outcome": outcome.name.lower(),
            "message": message,
            "spans": len(drawn.sent.spans),
        }
        self._ledger.append(row(PROBES, values))
        self._board.counts[outcome] += 1


async def _read(reader: Reader, sent: SentTrace) -> Reading:
    try:
        body = await reader.trace(sent.trace_id)
        if body is None:
            return Reading(None)
        return Reading(compare(sent.spans, spans_of(body, sent.trace_id), sent.whole))
    except NoAnswer as error:
        return Reading(None, str(error))
    except DecodeError:
        return Reading(None, "the answer is not OTLP")
