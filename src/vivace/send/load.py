"""Replays of several signals that start together, are watched together, and leave one ledger."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import polars as pl

from vivace.ledger import SENDS, read_ledger
from vivace.send.clock import Clock
from vivace.send.progress import SendProgress
from vivace.send.replay import Replay
from vivace.send.settings import SendSettings
from vivace.telemetry.template import Signal

LEAD_NS: Final = 100_000_000


class SendLoad:
    """One load, from start() over progress() to join(). Not for use by several threads at once."""

    def __init__(self, replays: Mapping[Signal, SendSettings]) -> None:
        self._ledgers = {signal: settings.ledger for signal, settings in replays.items()}
        self._replays = {signal: Replay(settings) for signal, settings in replays.items()}
        self.start_ns = 0
        """The schedule's zero in Unix nanoseconds, once start() has returned."""

    def start(self) -> None:
        """Returns when every process is ready and knows when to start."""
        with ThreadPoolExecutor(len(self._replays)) as pool:
            ready = [pool.submit(replay.prepare) for replay in self._replays.values()]
        try:
            for each in ready:
                each.result()
        except BaseException:
            self.stop(at_once=True)
            for replay, each in zip(self._replays.values(), ready, strict=True):
                if each.exception() is None:
                    replay.join().unlink()
            raise
        self.start_ns = Clock().now_ns() + LEAD_NS
        for replay in self._replays.values():
            replay.begin(self.start_ns)

    def progress(self) -> dict[Signal, SendProgress]:
        """How it stands now; cheap."""
        return {signal: replay.progress() for signal, replay in self._replays.items()}

    @property
    def done(self) -> bool:
        return all(progress.done for progress in self.progress().values())

    def stop(self, at_once: bool = False) -> None:
        """As Replay.stop."""
        for replay in self._replays.values():
            replay.stop(at_once)

    def join(self, ledger: Path) -> Path:
        """Waits for the end, and makes one ledger of those of all signals."""
        parts = [replay.join() for replay in self._replays.values()]
        rows = pl.concat([read_ledger(part, SENDS) for part in parts])
        temporary = ledger.with_suffix(".tmp")
        rows.sort("due_ns", maintain_order=True).write_parquet(temporary)
        temporary.rename(ledger)
        for part in parts:
            part.unlink()
        return ledger

    def pids(self) -> list[int]:
        """The sending processes' IDs."""
        return [pid for replay in self._replays.values() for pid in replay.pids()]

    def failures(self) -> list[str]:
        """As Replay.failures."""
        return [f"{signal}: {line}" for signal, replay in self._replays.items() for line in replay.failures()]
