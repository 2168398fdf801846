"""A sending process: offers each request when it is due, whatever became of those before it (an open model), or keeps
so many in flight (a closed one)."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator
from itertools import count
from math import inf
from multiprocessing import parent_process
from pathlib import Path
from time import sleep
from typing import Final, NamedTuple

from vivace.errors import VivaceError
from vivace.ledger import SENDS, LedgerWriter
from vivace.send.answer import Answer, Outcome
from vivace.send.attempts import Waiting
from vivace.send.board import Board, Count, Stop
from vivace.send.book import Book
from vivace.send.clock import Clock
from vivace.send.disorder import Kind
from vivace.send.dues import worker_dues
from vivace.send.export import Exporter, open_exporter
from vivace.send.gate import Gate
from vivace.send.request import Content, InFlight
from vivace.send.settings import SendSettings
from vivace.send.shared import SharedWords, words_of
from vivace.send.stream import open_contents
from vivace.send.turns import Turn, Turns
from vivace.send.vus import VirtualUsers

CONNECT_SECONDS: Final = 2.0
REST_SECONDS: Final = 0.01
"""Between requests while there is no connection, so that the ledger of an absent target is no flood."""
TICK_NS: Final = 500_000_000
LATE_NS: Final = 100_000_000
FEW: Final = 4
SMALL_BYTES: Final = 65_536
"""Looking for answers costs as much as sending a small request, so it is done after a few of them."""
HELD: Final = "was held back on purpose when the sending ended"
STOPPED: Final = Answer(Outcome.UNKNOWN, "", "given up: the sender was told to stop at once")


class Patched(NamedTuple):
    """A request made ready to be sent."""

    content: Content
    t0_ns: int
    payload: bytes


def work(settings: SendSettings, worker: int, anchor_ns: int, shared: SharedWords, part: Path) -> None:
    """What runs in a worker's process."""
    try:
        with LedgerWriter(part, SENDS) as ledger:
            Worker(settings, worker, Clock(anchor_ns), Board(words_of(shared)), ledger).run()
    except VivaceError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{part}: worker {worker} cannot go on: {error.strerror or error}; see that there is space left")


class Worker:
    """Sends requests worker, worker + workers, … of the schedule. One thread does all but the transport."""

    def __init__(self, settings: SendSettings, worker: int, clock: Clock, board: Board, ledger: LedgerWriter) -> None:
        self._settings = settings
        self._worker = worker
        self._clock = clock
        self._counts = board.counts
        self._contents = open_contents(settings)
        self._requests = self._contents.requests(settings.replays)
        self._book = Book(board, ledger, self._contents, worker)
        self._vus = VirtualUsers(*settings.share_of_vus(worker))
        self._exporter: Exporter = open_exporter(settings.way, self._contents.signal)
        self._gate = Gate(settings)
        self._flying: dict[int, InFlight] = {}
        self._waiting = Waiting()
        self._latest: tuple[Content, int] | None = None
        """What was sent last, but for copies, and its t0."""
        self._draw = random.Random(f"{settings.seed} {worker}")  # noqa: S311 - pauses are no secret
        self._next_tick_ns = 0
        self._orphaned = False

    def run(self) -> None:
        """From the common start to the last answer."""
        try:
            self._exporter.connect(CONNECT_SECONDS)
            self._counts[Count.VUS] = self._vus.count
            self._show_rate()
            self._counts[Count.READY] = 1
            start_ns = self._wait_for_start()
            if self._settings.schedule is None:
                self._keep_in_flight(start_ns)
            else:
                self._send_when_due(start_ns)
            self._drain()
        finally:
            self._exporter.close()

    def _wait_for_start(self) -> int:
        """The common start in Unix nanoseconds, as soon as it is known."""
        while not self._counts[Count.START_NS] and not self._stopped():
            sleep(0.001)
            self._tick()
        return self._counts[Count.START_NS]

    def _send_when_due(self, start_ns: int) -> None:
        settings = self._settings
        assert settings.schedule is not None  # noqa: S101 - the caller looked
        dues = worker_dues(
            settings.schedule,
            start_ns,
            settings.duration_s,
            self._worker,
            settings.workers,
            requests=self._requests,
        )
        turns = self._turns(dues)
        for turn in turns:
            # Made ready before it is due, so that starting it takes no longer than a call.
            patched = self._patch(turn) if self._vus.free() else None
            if not self._wait_until(turn.due_ns):
                self._drop_held([turn] if turn.kind is Kind.REORDERED else [])
                break
            if self._vus.take():
                self._send(turn, patched or self._patch(turn), turn.due_ns)
            else:
                self._drop(turn)
        self._drop_held(turns.rest())

    def _keep_in_flight(self, start_ns: int) -> None:
        end_ns = start_ns + self._settings.duration_s * 1e9
        if not self._wait_until(start_ns):
            return
        turns = self._turns(self._numbers(end_ns))
        for turn in turns:
            if not self._wait_for_vu():
                self._drop_held([turn] if turn.kind is Kind.REORDERED else [])
                break
            self._vus.take()
            patched = self._patch(turn)
            self._send(turn, patched, None)
            connected = self._exporter.connected
            if not connected or len(patched.payload) > SMALL_BYTES or self._vus.busy % FEW == 0:
                self._settle(0)
            if not connected:
                self._settle(REST_SECONDS)
        self._drop_held(turns.rest())

    def _numbers(self, end_ns: float) -> Iterator[tuple[int, int]]:
        """The requests of a closed model, each when it may go."""
        for number in count(self._worker, self._settings.workers):
            if self._requests is not None and number >= self._requests:
                return
            while not self._contents.ready(number) and not self._stopped():
                self._settle(REST_SECONDS)
            if not self._wait_for_vu() or not self._contents.there(number):
                return
            due_ns = now_ns = self._clock.now_ns()
            if not self._gate.open:
                due_ns = self._gate.pass_ns(self._contents.describe(number).items, now_ns)
            if due_ns >= end_ns or (due_ns > now_ns and not self._wait_until(due_ns)):
                return
            yield number, due_ns

    def _wait_for_vu(self) -> bool:
        """Waits until a request can be carried; False when there is to be no more sending."""
        while not self._vus.free() and not self._stopped():
            self._settle(1.0)
        return not self._stopped()

    def _turns(self, dues: Iterator[tuple[int, int]]) -> Turns:
        return Turns(dues, self._contents, self._settings.disorder.reordered_by_s)

    def _patch(self, turn: Turn) -> Patched:
        """With times that end when the request was due, or now when that is past; a copy has those of the original."""
        if turn.kind is Kind.DUPLICATE and self._latest is not None:
            content, t0_ns = self._latest
        else:
            content, now_ns = self._contents.describe(turn.number), self._clock.now_ns()
            happened_ns = turn.happened_ns if turn.kind is Kind.REORDERED else max(turn.happened_ns, now_ns)
            t0_ns = self._contents.t0_ns(turn.number, happened_ns)
        return Patched(content, t0_ns, self._contents.payload(content.number, t0_ns))

    def _send(self, turn: Turn, patched: Patched, due_ns: int | None) -> None:
        """Without a due time it was due when it started."""
        started_ns = self._clock.now_ns()
        copied = patched.content.number != turn.number
        kind = None if turn.kind is Kind.DUPLICATE and not copied else turn.kind
        turn = turn._replace(kind=kind, due_ns=started_ns if due_ns is None else due_ns)
        sent = self._book.started(turn, patched.content, started_ns, patched.t0_ns)
        self._counts[Count.VUS] = self._vus.count
        if not copied:
            self._latest = patched.content, patched.t0_ns
        self._export(sent, patched.payload)

    def _export(self, sent: InFlight, payload: bytes) -> None:
        self._flying[sent.number] = sent
        self._exporter.export(payload, sent)

    def _drop(self, turn: Turn) -> None:
        late_ns = self._clock.now_ns() - turn.due_ns
        late = f" {late_ns // 1_000_000} ms after it was due" if late_ns > LATE_NS else ""
        self._book.dropped(turn, f"all {self._vus.count} VUs of worker {self._worker} were busy{late}")

    def _drop_held(self, turns: Iterable[Turn]) -> None:
        for turn in turns:
            self._book.dropped(turn, HELD)

    def _wait_until(self, due_ns: int) -> bool:
        """Settles what ends until then; False when there is to be no more sending."""
        while not self._stopped():
            remaining_ns = due_ns - self._clock.now_ns()
            self._settle(max(0, remaining_ns) / 1e9)
            if remaining_ns <= 0:
                return True
        return False

    def _drain(self) -> None:
        """Whatever is in flight ends within the timeout, and its further attempts."""
        while self._vus.busy and not self._orphaned and self._counts[Count.STOP] < Stop.AT_ONCE:
            if self._stopped():
                for sent, ended_ns, answer in self._waiting.give_up():
                    self._finish(sent, ended_ns, answer)
            self._settle(1.0)
        self._exporter.close()
        for sent, ended_ns, answer in self._waiting.give_up():
            self._finish(sent, ended_ns, answer)
        for sent in list(self._flying.values()):
            self._finish(sent, self._clock.now_ns(), STOPPED)
        self._show()
        self._book.save()

    def _settle(self, seconds: float) -> None:
        """Books what ends, waiting for the first of it so long at most (or until the next tick or attempt)."""
        self._tick()
        seconds = min(seconds, TICK_NS / 1e9)
        if self._waiting:
            seconds = min(seconds, self._try_again())
        for ended in self._exporter.wait(seconds):
            self._end(self._flying.pop(ended.request.number), ended.ended_ns + self._clock.anchor_ns, ended.answer)

    def _end(self, sent: InFlight, ended_ns: int, answer: Answer) -> None:
        """An attempt is over; its request may not be."""
        service_ns = ended_ns - sent.started_ns if sent.attempt == 1 else 0
        if self._gate.answered(answer, service_ns, ended_ns):
            self._show_rate()
        pause_s = None
        if answer.retryable and not self._stopped():
            pause_s = self._settings.attempts.pause_s(sent.attempt, answer, self._draw.random())
        if pause_s is None:
            self._finish(sent, ended_ns, answer)
        else:
            self._waiting.put(ended_ns + round(pause_s * 1e9), sent, ended_ns, answer)

    def _finish(self, sent: InFlight, ended_ns: int, answer: Answer) -> None:
        self._flying.pop(sent.number, None)
        self._vus.give_back()
        self._book.ended(sent, ended_ns, answer)

    def _try_again(self) -> float:
        """Sends once more what is due for it, the very same bytes; gives the seconds until the next is."""
        for sent, answer in self._waiting.due(self._clock.now_ns()):
            again = self._book.again(sent, doubtful=answer.outcome is Outcome.UNKNOWN)
            self._export(again, self._contents.payload(again.content.number, again.t0_ns))
        next_ns = self._waiting.next_ns
        return inf if next_ns is None else max(0, next_ns - self._clock.now_ns()) / 1e9

    def _stopped(self) -> bool:
        return self._counts[Count.STOP] != Stop.NOT or self._orphaned

    def _tick(self) -> None:
        """What is done twice a second."""
        now_ns = self._clock.now_ns()
        if now_ns < self._next_tick_ns:
            return
        self._next_tick_ns = now_ns + TICK_NS
        self._book.save()
        self._show()
        parent = parent_process()
        self._orphaned = parent is not None and not parent.is_alive()

    def _show(self) -> None:
        self._book.show_clock_step(self._clock)
        self._show_rate()

    def _show_rate(self) -> None:
        adjustment = self._gate.adjustment
        if adjustment is not None:
            self._counts[Count.RATE] = round(adjustment.per_second)
            self._counts[Count.RAISED] = adjustment.raised
            self._counts[Count.LOWERED] = adjustment.lowered
