"""The compactor process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Final

import pyarrow as pa

from vivace.backend.compact.compactor import Compactor
from vivace.backend.compact.figures import CompactorFigures
from vivace.backend.compact.plan import DEFAULT_COMPACTION, CompactionSettings
from vivace.backend.store.figures import FiguresFile
from vivace.backend.store.folder import DataFolder
from vivace.backend.tenant.overrides import Overrides

PROCESS: Final = "compactor"
PERIOD_SECONDS: Final = 2.0
"""How often it looks for something to do."""
TAKING_SECONDS: Final = 0.2
"""How often it looks whether what it proposed was taken up."""
NICENESS: Final = 10
"""Whoever takes in spans or answers queries goes first."""


class _Stopped(Exception):
    """The process is to end; a merge that runs is given up."""


def run(
    data_dir: Path,
    overrides: Overrides,
    announce: Callable[[], None],
    report: Callable[[str], None],
    settings: CompactionSettings = DEFAULT_COMPACTION,
) -> None:
    """Compacts, and lets go what is too old, until SIGTERM. What went wrong is reported in lines."""
    stopped = Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    os.nice(NICENESS)
    pa.set_cpu_count(1)
    folder = DataFolder(data_dir)
    figures = CompactorFigures()
    file = FiguresFile(figures.registry, folder.metrics, PROCESS)

    def between() -> None:
        if stopped.is_set():
            raise _Stopped

    def retention_s(tenant: str) -> float:
        return overrides.of(tenant).compaction.block_retention

    compactor = Compactor(folder, figures, report, retention_s, settings=settings, between=between)
    file.start()
    announce()
    try:
        while not stopped.is_set():
            made = compactor.step()
            stopped.wait(TAKING_SECONDS if made or compactor.waiting else PERIOD_SECONDS)
    except _Stopped:
        pass
    finally:
        file.stop()
