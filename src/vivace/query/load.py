"""A query load: starts the process that asks, watches it, and gives the ledger of what it asked."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import sleep
from typing import Final

from vivace.errors import OutputError, VivaceError
from vivace.ledger import QUERIES, merge_parts
from vivace.query.board import Board, Count, QueryProgress
from vivace.query.settings import QuerySettings
from vivace.query.worker import work
from vivace.send.board import Acknowledged
from vivace.send.clock import Clock
from vivace.send.process import start_process
from vivace.send.shared import shared_words, words_of

READY_NS: Final = 60_000_000_000
LEAD_NS: Final = 20_000_000
PATIENCE_NS: Final = 10_000_000_000
"""After which a process that should have ended is killed."""


class QueryLoad:
    """One load, from start() over progress() to join(). Not for use by several threads at once.

    OutputError when the ledger cannot be written.
    """

    def __init__(self, settings: QuerySettings) -> None:
        self._settings = settings
        self._clock = Clock()
        self._context = multiprocessing.get_context("spawn")
        self._shared = shared_words(self._context, Board.SIZE)
        self._board = Board(words_of(self._shared))
        self._process: BaseProcess | None = None
        self._stopped_ns: int | None = None
        self._merged = False
        self.start_ns = 0
        """The schedule's zero in Unix nanoseconds, once start() has returned."""

    def start(self) -> None:
        """Returns when the process is ready and knows when to start."""
        self.prepare()
        self.begin(self._settings.start_ns)

    def prepare(self) -> None:
        """Returns when the process is ready; then begin()."""
        _check_writable(self._part)
        arguments = (self._settings, self._clock.anchor_ns, self._shared, self._part, self.answers)
        self._process = process = start_process(self._context, "vivace-query", work, *arguments)
        give_up_ns = self._clock.now_ns() + READY_NS
        while not self._board.counts[Count.READY]:
            if not process.is_alive() or self._clock.now_ns() > give_up_ns:
                self._abandon(process)
                raise VivaceError("; ".join(self.failures()) or "the asking process: not ready in time")
            sleep(0.002)

    def begin(self, start_ns: int | None = None) -> None:
        """Tells the process when to start, in Unix nanoseconds; None: at once."""
        self.start_ns = start_ns or self._clock.now_ns() + LEAD_NS
        self._board.counts[Count.START_NS] = self.start_ns

    def feed(self, acknowledged: Sequence[Acknowledged]) -> None:
        """Tells of requests that the target has acknowledged, whose traces may then be asked for."""
        for request in acknowledged:
            self._board.acknowledged.put(request.number, request.t0_ns)

    def progress(self) -> QueryProgress:
        """How it stands now; cheap."""
        return self._board.progress(self._clock.now_ns(), done=not self._running)

    def stop(self) -> None:
        """No new queries from now on; those in flight have up to the timeout. Returns at once; then join()."""
        if self._stopped_ns is None:
            self._stopped_ns = self._clock.now_ns()
        self._board.counts[Count.STOP] = 1

    def join(self) -> Path:
        """Waits for the end, and writes the ledger."""
        if not self._merged:
            process = self._process
            while process is not None and process.is_alive():
                if self._clock.now_ns() > self._last_ns() + PATIENCE_NS:
                    process.kill()
                process.join(0.01)
            merge_parts([self._part], QUERIES, self._settings.ledger)
            self._merged = True
        return self._settings.ledger

    def pids(self) -> list[int]:
        """The ID of the asking process."""
        return [] if self._process is None or self._process.pid is None else [self._process.pid]

    def failures(self) -> list[str]:
        """What became of the process when it did not end well; a load with such a line is not to be trusted."""
        code = None if self._process is None else self._process.exitcode
        if not code:
            return []
        return [f"the asking process ended with {f'signal {-code}' if code < 0 else f'exit code {code}'}"]

    @property
    def answers(self) -> Path:
        """Where kept answers are, of the schema ANSWERS; only where the settings know what was sent."""
        return self._settings.ledger.with_suffix(".answers.part")

    @property
    def _part(self) -> Path:
        return self._settings.ledger.with_suffix(".part")

    def _last_ns(self) -> int:
        """When the last answer should be there."""
        end_ns = self.start_ns + round(self._settings.duration_s * 1e9)
        if self._stopped_ns is not None:
            end_ns = min(end_ns, self._stopped_ns)
        return end_ns + round(self._settings.longest_question_s * 1e9)

    @property
    def _running(self) -> bool:
        return self._process is not None and self._process.is_alive()

    def _abandon(self, process: BaseProcess) -> None:
        """Ends a process that never started to ask."""
        self.stop()
        process.join(PATIENCE_NS / 1e9)
        process.kill()
        process.join()
        for path in (self._part, self.answers):
            path.unlink(missing_ok=True)


def _check_writable(part: Path) -> None:
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    except OSError as error:
        raise OutputError(f"{part.parent}: cannot be written: {error.strerror}; choose another folder") from error
