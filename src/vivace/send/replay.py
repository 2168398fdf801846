"""Replays a template: starts the sending processes together, watches them, and merges what they wrote down."""

from __future__ import annotations

import multiprocessing
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import sleep
from typing import Final

from vivace.errors import OutputError, VivaceError
from vivace.ledger import SENDS, LedgerWriter, merge_parts, read_part
from vivace.send.board import Acknowledged, Board, Count, Stop
from vivace.send.clock import Clock
from vivace.send.dues import worker_dues
from vivace.send.process import start_process
from vivace.send.progress import SendProgress, progress_of
from vivace.send.recover import journal_rows, never_offered_rows
from vivace.send.settings import SendSettings
from vivace.send.shared import shared_words, words_of
from vivace.send.stream import open_contents
from vivace.send.worker import work

READY_NS: Final = 60_000_000_000
LEAD_NS: Final = 50_000_000
"""From all being ready to the start, so that every worker learns of it in time."""
PATIENCE_NS: Final = 10_000_000_000
"""After which a worker that should have ended is killed."""


class Replay:
    """One replay, from start() over progress() and acknowledged() to join(). Not for use by several threads at once.

    TemplateError when the template cannot be opened; OutputError when the ledger cannot be written.
    """

    def __init__(self, settings: SendSettings) -> None:
        self._settings = settings
        self._contents = open_contents(settings)
        self._clock = Clock()
        self._processes: list[BaseProcess] = []
        self._boards: list[Board] = []
        self._seen: list[int] = []
        self._stopped_ns: int | None = None
        self._merged = False
        self.start_ns = 0
        """The schedule's zero in Unix nanoseconds, once start() has returned."""

    def start(self) -> None:
        """Returns when every worker is ready and knows when to start."""
        self.prepare()
        self.begin(self._settings.start_ns)

    def prepare(self) -> None:
        """Returns when every worker is ready; then begin()."""
        _check_writable(self._part(0))
        for worker in range(self._settings.workers):
            self._start_worker(worker)
        self._wait_until_ready()

    def begin(self, start_ns: int | None = None) -> None:
        """Tells every worker when to start, in Unix nanoseconds; None: at once."""
        self.start_ns = start_ns or self._clock.now_ns() + LEAD_NS
        for board in self._boards:
            board.counts[Count.START_NS] = self.start_ns

    def progress(self) -> SendProgress:
        """How it stands now; cheap."""
        return progress_of(self._boards, [not process.is_alive() for process in self._processes], self._clock.now_ns())

    def acknowledged(self) -> list[Acknowledged]:
        """Requests to probe, of each worker at most one per half second, drawn evenly; each is given once."""
        drawn: list[Acknowledged] = []
        for worker, board in enumerate(self._boards):
            self._seen[worker], values = board.samples.since(self._seen[worker])
            drawn += (Acknowledged(*value) for value in values)
        return drawn

    def stop(self, at_once: bool = False) -> None:
        """No new requests from now on; those in flight have up to the timeout, or no time at all and are unknown.

        Returns at once; then join().
        """
        if self._stopped_ns is None:
            self._stopped_ns = self._clock.now_ns()
        for board in self._boards:
            board.counts[Count.STOP] = max(board.counts[Count.STOP], Stop.AT_ONCE if at_once else Stop.GRACEFUL)

    def join(self) -> Path:
        """Waits for the end, and merges the workers' rows into the ledger."""
        if not self._merged:
            self._wait_for_workers()
            parts = [self._part(worker) for worker in range(len(self._processes))]
            parts += [self._recover(worker) for worker, process in enumerate(self._processes) if process.exitcode]
            merge_parts(parts, SENDS, self._settings.ledger)
            self._merged = True
        return self._settings.ledger

    def pids(self) -> list[int]:
        """The workers' process IDs, by worker."""
        return [process.pid for process in self._processes if process.pid is not None]

    def failures(self) -> list[str]:
        """What became of workers that did not end well, a line for each; a run with one is not to be trusted."""
        return [
            f"sending worker {worker} ended with {_exit(process.exitcode)}"
            for worker, process in enumerate(self._processes)
            if process.exitcode
        ]

    def _start_worker(self, worker: int) -> None:
        context = multiprocessing.get_context("spawn")
        shared = shared_words(context, Board.size(self._settings.share_of_vus(worker)[1]))
        self._boards.append(Board(words_of(shared)))
        self._seen.append(0)
        arguments = (self._settings, worker, self._clock.anchor_ns, shared, self._part(worker))
        process = start_process(context, f"vivace-send-{worker}", work, *arguments)
        self._processes.append(process)

    def _wait_until_ready(self) -> None:
        give_up_ns = self._clock.now_ns() + READY_NS
        while not all(board.counts[Count.READY] for board in self._boards):
            ended = any(not process.is_alive() for process in self._processes)
            if ended or self._clock.now_ns() > give_up_ns:
                self._abandon()
                raise VivaceError(
                    "; ".join(self.failures()) or "sending workers: not ready in time; give fewer of them"
                )
            sleep(0.002)

    def _abandon(self) -> None:
        """Ends workers that never started to send."""
        self.stop()
        for process in self._processes:
            process.join(PATIENCE_NS / 1e9)
            process.kill()
            process.join()
        for worker in range(len(self._processes)):
            self._part(worker).unlink(missing_ok=True)

    def _wait_for_workers(self) -> None:
        """Until all have ended; those that should have and did not are killed."""
        while any(process.is_alive() for process in self._processes):
            if self._clock.now_ns() > self._end_ns() + _ns(self._settings.longest_s) + PATIENCE_NS:
                for process in self._processes:
                    process.kill()
            sleep(0.01)
        for process in self._processes:
            process.join()

    def _end_ns(self) -> float:
        """When nothing more is started; infinite when nobody knows."""
        end_ns = self.start_ns + self._settings.duration_s * 1e9
        return end_ns if self._stopped_ns is None else min(end_ns, self._stopped_ns)

    def _recover(self, worker: int) -> Path:
        """Writes a part file with the rows that a worker owes."""
        settings = self._settings
        written = set(read_part(self._part(worker), SENDS)["request"].to_list())
        entries = [entry for entry in self._boards[worker].journal.entries() if entry.number not in written]
        known = written.union(entry.number for entry in entries)
        part = self._part(worker).with_suffix(".recovered.part")
        with LedgerWriter(part, SENDS) as ledger:
            for row in journal_rows(entries, worker, self._contents.signal):
                ledger.append(row)
            if settings.schedule is not None:
                seconds = (self._end_ns() - self.start_ns) / 1e9
                dues = worker_dues(
                    settings.schedule,
                    self.start_ns,
                    seconds,
                    worker,
                    settings.workers,
                    requests=self._contents.requests(settings.replays),
                )
                for row in never_offered_rows((due for due in dues if due[0] not in known), worker, self._contents):
                    ledger.append(row)
        return part

    def _part(self, worker: int) -> Path:
        return self._settings.ledger.with_suffix(f".{worker}.part")


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


def _exit(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _check_writable(part: Path) -> None:
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    except OSError as error:
        raise OutputError(f"{part.parent}: cannot be written: {error.strerror}; choose another folder") from error
