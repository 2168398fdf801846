"""A sending process: offers each request when it is due, whatever became of those before it (an open model)."""

from __future__ import annotations

import sys
from multiprocessing import parent_process
from pathlib import Path
from time import sleep
from typing import Final, NamedTuple

from vivace.errors import VivaceError
from vivace.ledger import SENDS, LedgerWriter
from vivace.send.board import Board, Count
from vivace.send.book import Book
from vivace.send.clock import Clock
from vivace.send.dues import worker_dues
from vivace.send.export import Exporter, GrpcExporter
from vivace.send.settings import SendSettings
from vivace.send.shared import SharedWords, words_of
from vivace.send.vus import VirtualUsers
from vivace.telemetry.patch import Patcher
from vivace.telemetry.template import Template

CONNECT_SECONDS: Final = 2.0
REST_SECONDS: Final = 0.01
"""Between requests while there is no connection, so that the ledger of an absent target is no flood."""
TICK_NS: Final = 500_000_000
LATE_NS: Final = 100_000_000


class Patched(NamedTuple):
    """A request made ready to be sent."""

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
        template = Template.open(settings.template)
        self._settings = settings
        self._worker = worker
        self._clock = clock
        self._counts = board.counts
        self._book = Book(board, ledger, template, worker)
        self._patcher = Patcher(template, settings.seed)
        self._span_ns: list[int] = template.requests.span_ns.tolist()
        self._vus = VirtualUsers(*settings.share_of_vus(worker))
        self._exporter: Exporter = GrpcExporter(
            settings.endpoint, template.signal, settings.timeout_s, settings.headers
        )
        self._next_tick_ns = 0
        self._orphaned = False

    def run(self) -> None:
        """From the common start to the last answer."""
        self._exporter.connect(CONNECT_SECONDS)
        self._counts[Count.VUS] = self._vus.count
        self._counts[Count.READY] = 1
        start_ns = self._wait_for_start()
        if self._settings.schedule is None:
            self._keep_in_flight(start_ns)
        else:
            self._send_when_due(start_ns)
        self._drain()

    def _wait_for_start(self) -> int:
        """The common start in Unix nanoseconds, as soon as it is known."""
        while not self._counts[Count.START_NS] and not self._stopped():
            sleep(0.001)
            self._tick()
        return self._counts[Count.START_NS]

    def _send_when_due(self, start_ns: int) -> None:
        settings = self._settings
        assert settings.schedule is not None  # noqa: S101 - the caller looked
        dues = worker_dues(settings.schedule, start_ns, settings.duration_s, self._worker, settings.workers)
        for number, due_ns in dues:
            # Made ready before it is due, so that starting it takes no longer than a call.
            patched = self._patch(number, due_ns) if self._vus.free() else None
            if not self._wait_until(due_ns):
                return
            if self._vus.take():
                self._send(number, due_ns, patched or self._patch(number, due_ns))
            else:
                self._drop(number, due_ns)

    def _keep_in_flight(self, start_ns: int) -> None:
        end_ns = start_ns + round(self._settings.duration_s * 1e9)
        number = self._worker
        if not self._wait_until(start_ns):
            return
        while not self._stopped():
            patched = self._patch(number, 0)
            while not self._vus.free():
                self._settle(1.0)
            now_ns = self._clock.now_ns()
            if now_ns >= end_ns:
                return
            self._vus.take()
            self._send(number, None, patched)
            self._settle(0)
            if not self._exporter.connected:
                self._settle(REST_SECONDS)
            number += self._settings.workers

    def _patch(self, number: int, due_ns: int) -> Patched:
        """With times that end when the request is due, or now when that is past."""
        t0_ns = max(due_ns, self._clock.now_ns()) - self._span_ns[number % len(self._span_ns)]
        return Patched(t0_ns, self._patcher.patch(number, t0_ns))

    def _send(self, number: int, due_ns: int | None, patched: Patched) -> None:
        started_ns = self._clock.now_ns()
        sent = self._book.started(number, started_ns if due_ns is None else due_ns, started_ns, patched.t0_ns)
        self._counts[Count.VUS] = self._vus.count
        self._exporter.export(patched.payload, sent)

    def _drop(self, number: int, due_ns: int) -> None:
        late_ns = self._clock.now_ns() - due_ns
        late = f" {late_ns // 1_000_000} ms after it was due" if late_ns > LATE_NS else ""
        self._book.dropped(number, due_ns, f"all {self._vus.count} VUs of worker {self._worker} were busy{late}")

    def _wait_until(self, due_ns: int) -> bool:
        """Settles what ends until then; False when there is to be no more sending."""
        while not self._stopped():
            remaining_ns = due_ns - self._clock.now_ns()
            self._settle(max(0, remaining_ns) / 1e9)
            if remaining_ns <= 0:
                return True
        return False

    def _drain(self) -> None:
        """Whatever is in flight ends within the timeout."""
        while self._vus.busy:
            self._settle(1.0)
        self._exporter.close()
        self._book.show_sample()
        self._book.show_clock_step(self._clock)
        self._book.save()

    def _settle(self, seconds: float) -> None:
        """Books what ends, waiting for the first of it so long at most (or until the next tick)."""
        self._tick()
        for ended in self._exporter.wait(min(seconds, TICK_NS / 1e9)):
            self._vus.give_back()
            self._book.ended(ended.request, ended.ended_ns + self._clock.anchor_ns, ended.answer)

    def _stopped(self) -> bool:
        return bool(self._counts[Count.STOP]) or self._orphaned

    def _tick(self) -> None:
        """What is done twice a second."""
        now_ns = self._clock.now_ns()
        if now_ns < self._next_tick_ns:
            return
        self._next_tick_ns = now_ns + TICK_NS
        self._book.save()
        self._book.show_sample()
        self._book.show_clock_step(self._clock)
        parent = parent_process()
        self._orphaned = parent is not None and not parent.is_alive()
