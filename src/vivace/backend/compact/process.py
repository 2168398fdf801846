"""The compactor process."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Final

import pyarrow as pa

from vivace.backend.compact.compactor import Compactor
from vivace.backend.compact.figures import CompactorFigures
from vivace.backend.compact.plan import DEFAULT_COMPACTION, CompactionSettings
from vivace.backend.store.figures import FiguresFile
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.storage.figures import StorageFigures
from vivace.backend.store.storage.opening import open_storage
from vivace.backend.store.storage.settings import StorageSettings
from vivace.backend.tenant.overrides import Overrides
from vivace.signals import set_on_signals

PROCESS: Final = "compactor"
PERIOD_SECONDS: Final = 2.0
"""How often it looks for something to do."""
TAKING_SECONDS: Final = 0.2
"""How often it looks whether what it proposed was taken up."""


class _Stopped(BaseException):
    """The process is to end; a merge that runs is given up. No failure of that merge, and so no Exception."""


def run(
    data_dir: Path,
    overrides: Overrides,
    announce: Callable[[], None],
    report: Callable[[str], None],
    *,
    settings: CompactionSettings = DEFAULT_COMPACTION,
    storage: StorageSettings | None = None,
) -> None:
    """Compacts, and lets go what is too old, until SIGTERM. What went wrong is reported in lines.

    Blocks are read from storage, if it is given, else from the data folder. TargetError when the manifest cannot be
    understood, ConfigurationError when the environment says of the storage what cannot be.
    """
    stopped = Event()
    set_on_signals(stopped, signal.SIGTERM)
    pa.set_cpu_count(1)
    pa.set_memory_pool(pa.system_memory_pool())  # the one that gives back all that is asked of it
    folder = DataFolder(data_dir)
    figures = CompactorFigures()
    file = FiguresFile(figures.registry, folder.metrics, PROCESS)

    def between() -> None:
        if stopped.is_set():
            raise _Stopped

    def retention_s(tenant: str) -> float:
        return overrides.of(tenant).compaction.block_retention

    blocks = open_storage(storage or StorageSettings(), folder, StorageFigures(figures.registry, PROCESS))
    compactor = Compactor(folder, blocks, figures, report, retention_s, settings=settings, between=between)
    file.start()
    announce()
    try:
        _compact(compactor, stopped)
    finally:
        file.stop()


def _compact(compactor: Compactor, stopped: Event) -> None:
    with suppress(_Stopped):
        while not stopped.is_set():
            before = compactor.merges
            made = compactor.step()
            if compactor.merges > before:
                _give_back()
            stopped.wait(TAKING_SECONDS if made or compactor.waiting else PERIOD_SECONDS)


def _give_back() -> None:
    """Closes the files of blocks that were read, and lets the memory that a merge took go."""
    gc.collect()
    pa.default_memory_pool().release_unused()
