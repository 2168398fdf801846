"""Probes: reads back some of what was acknowledged, in a process of its own, and gives the ledger of probes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from statistics import median
from time import monotonic, sleep
from typing import Final

from vivace.errors import ConfigurationError, OutputError, VivaceError
from vivace.ledger import PROBES, merge_parts
from vivace.measure.probing.board import Board, Count
from vivace.measure.probing.prober import Stop, work
from vivace.measure.probing.settings import ProbeSettings
from vivace.send.board import Acknowledged
from vivace.send.shared import shared_words, words_of
from vivace.telemetry.template import Signal, Template

__all__ = ["ProbeProgress", "ProbeSettings", "Probes"]

READY_SECONDS: Final = 60.0
PATIENCE_SECONDS: Final = 10.0
"""Beyond its time, until a process that should have ended is killed."""


@dataclass(frozen=True, slots=True)
class ProbeProgress:
    """Traces that were drawn, and what became of them so far."""

    drawn: int
    found: int
    missing: int
    wrong: int
    unchecked: int
    outstanding: int
    visible_p50_ms: float | None
    """Of the last ones that were found."""
    done: bool


class Probes:
    """One series of probes, from start() over feed() to stop() and join(). Not for use by several threads at once.

    TemplateError when the template cannot be opened; OutputError when the ledger cannot be written.
    """

    def __init__(self, settings: ProbeSettings) -> None:
        if Template.open(settings.template).signal is not Signal.TRACES:
            raise ConfigurationError(f"{settings.template}: holds no traces; only traces can be read back")
        self._settings = settings
        context = multiprocessing.get_context("spawn")
        shared = shared_words(context, Board.SIZE)
        self._board = Board(words_of(shared))
        theirs, self._orders = context.Pipe(duplex=False)
        self._theirs = theirs
        self._process: BaseProcess = context.Process(
            target=work, args=(settings, theirs, shared, self._part), name="vivace-probe", daemon=True
        )
        self._give_up: float | None = None
        self._merged = False

    def start(self) -> None:
        """Returns when the process is ready to be fed."""
        _check_writable(self._part)
        self._process.start()
        self._theirs.close()
        give_up = monotonic() + READY_SECONDS
        while not self._board.counts[Count.READY]:
            if not self._process.is_alive() or monotonic() > give_up:
                self.stop(0.0)
                self._end()
                self._part.unlink(missing_ok=True)
                raise VivaceError("; ".join(self.failures()) or "the probing process: not ready in time")
            sleep(0.002)

    def feed(self, acknowledged: Sequence[Acknowledged]) -> None:
        """Offers acknowledged requests to draw from; of most of them nothing is drawn."""
        if acknowledged and self._give_up is None:
            self._order(list(acknowledged))

    def progress(self) -> ProbeProgress:
        """How it stands now; cheap."""
        counts = self._board.counts
        ended = [counts[count] for count in (Count.FOUND, Count.MISSING, Count.WRONG, Count.UNCHECKED)]
        visible = [value / 1e6 for (value,) in self._board.visible.since(0)[1]]
        return ProbeProgress(
            drawn=counts[Count.DRAWN],
            found=counts[Count.FOUND],
            missing=counts[Count.MISSING],
            wrong=counts[Count.WRONG],
            unchecked=counts[Count.UNCHECKED],
            outstanding=counts[Count.DRAWN] - sum(ended),
            visible_p50_ms=median(visible) if visible else None,
            done=not self._process.is_alive(),
        )

    def stop(self, grace_s: float | None = None) -> None:
        """No more draws; those that are drawn have so long to end, at most (and if not told) all of their patience.

        Returns at once; then join(). May be called again with less grace.
        """
        settings = self._settings
        grace = settings.patience_s + settings.timeout_s if grace_s is None else grace_s
        self._give_up = monotonic() + grace + settings.timeout_s + PATIENCE_SECONDS
        self._order(Stop(grace))

    def join(self) -> Path:
        """Waits for the end, and writes the ledger; stops first when that was not done."""
        if not self._merged:
            self._end()
            merge_parts([self._part], PROBES, self._settings.ledger)
            self._merged = True
        return self._settings.ledger

    def pids(self) -> list[int]:
        """The ID of the probing process."""
        return [] if self._process.pid is None else [self._process.pid]

    def failures(self) -> list[str]:
        """What became of the process when it did not end well."""
        code = self._process.exitcode
        if not code:
            return []
        return [f"the probing process ended with {f'signal {-code}' if code < 0 else f'exit code {code}'}"]

    def _order(self, order: Stop | list[Acknowledged]) -> None:
        if not self._orders.closed:
            with suppress(BrokenPipeError):  # failures() tells of a process that is gone
                self._orders.send(order)

    def _end(self) -> None:
        if self._give_up is None:
            self.stop()
        while self._process.is_alive() and self._give_up is not None and monotonic() < self._give_up:
            self._process.join(0.05)
        self._process.kill()
        self._process.join()
        self._orders.close()

    @property
    def _part(self) -> Path:
        return self._settings.ledger.with_suffix(".part")


def _check_writable(part: Path) -> None:
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    except OSError as error:
        raise OutputError(f"{part.parent}: cannot be written: {error.strerror}; choose another folder") from error
