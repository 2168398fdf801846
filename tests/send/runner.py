"""Runs a worker in the test's own process, and checks what it leaves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import polars as pl
from tests.send.servers import assert_books_balance

from vivace.ledger import SENDS, LedgerWriter, read_part
from vivace.pace import Schedule
from vivace.send.board import Board, Count
from vivace.send.clock import Clock
from vivace.send.settings import SendSettings
from vivace.send.worker import Worker

TWO_MS = 2_000_000


class Sent(NamedTuple):
    """What a worker left."""

    rows: pl.DataFrame
    board: Board
    template: Path

    def items(self, outcome: str) -> int:
        return int(self.rows.filter(pl.col("outcome") == outcome)["items"].sum())


class Runner:
    """Runs a worker in this process."""

    def __init__(self, template: Path, folder: Path) -> None:
        self.template = template
        self._folder = folder

    def settings(self, endpoint: str, schedule: Schedule | None, **others: object) -> SendSettings:
        fields: dict[str, object] = {
            "endpoint": endpoint,
            "template": self.template,
            "schedule": schedule,
            "duration_s": 0.4,
            "timeout_s": 5.0,
            "ledger": self._folder / "sends.parquet",
            "seed": 1,
            "vus_min": 1,
            "vus_max": 100,
        }
        return SendSettings(**fields | others)  # type: ignore[arg-type]

    def run(self, server: AbstractContextManager[str], schedule: Schedule | None, **others: object) -> Sent:
        with server as endpoint:
            return self.send(self.settings(endpoint, schedule, **others))

    def send(self, settings: SendSettings, meanwhile: Callable[[Board], None] = lambda _board: None) -> Sent:
        board = Board(memoryview(bytearray(8 * Board.size(settings.vus_max))).cast("q"))
        clock = Clock()
        part = self._folder / "part"

        def start() -> None:
            while not board.counts[Count.READY]:
                time.sleep(0.001)
            board.counts[Count.START_NS] = clock.now_ns() + TWO_MS
            meanwhile(board)

        aside = threading.Thread(target=start)
        with LedgerWriter(part, SENDS) as ledger:
            aside.start()
            Worker(settings, 0, clock, board, ledger).run()
        aside.join()
        return Sent(read_part(part, SENDS), board, self.template)


def assert_counters_agree(sent: Sent) -> None:
    """The live counters end where the ledger does."""
    counts = sent.board.counts
    rejected = int(sent.rows["rejected"].sum())
    assert counts[Count.OFFERED] == sent.rows.height
    assert counts[Count.OFFERED_ITEMS] == sent.rows["items"].sum()
    assert counts[Count.DROPPED_ITEMS] == sent.items("dropped")
    assert counts[Count.SENT_ITEMS] == counts[Count.OFFERED_ITEMS] - counts[Count.DROPPED_ITEMS]
    assert counts[Count.ACKNOWLEDGED_ITEMS] == sent.items("acknowledged") - rejected
    assert counts[Count.REJECTED_ITEMS] == rejected
    assert counts[Count.FAILED_ITEMS] == sent.items("failed")
    assert counts[Count.UNKNOWN_ITEMS] == sent.items("unknown")
    assert counts[Count.IN_FLIGHT] == 0
    assert counts[Count.SENT_BYTES] == sent.rows.filter(pl.col("outcome") != "dropped")["bytes"].sum()
    assert list(sent.board.journal.entries()) == []


def assert_sound(sent: Sent) -> None:
    assert_books_balance(sent.rows)
    assert_counters_agree(sent)
