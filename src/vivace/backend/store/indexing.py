"""The indexer process."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Final

from vivace.backend.store.figures import FiguresFile
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.indexer import Indexer
from vivace.backend.store.indexer_figures import IndexerFigures
from vivace.backend.store.storage.figures import StorageFigures
from vivace.backend.store.storage.opening import open_storage
from vivace.backend.store.storage.settings import StorageSettings
from vivace.signals import set_on_signals

PROCESS: Final = "indexer"
PERIOD_SECONDS: Final = 0.15
"""How often new spans become visible."""


def run(
    data_dir: Path,
    announce: Callable[[], None],
    report: Callable[[str], None],
    storage: StorageSettings | None = None,
) -> None:
    """Follows the log until SIGTERM; then publishes all that has arrived. What went wrong is reported in lines.

    Blocks are put in storage, if it is given, else they stay in the data folder. Errors as of Indexer.
    """
    stopped = Event()
    set_on_signals(stopped, signal.SIGTERM)
    folder = DataFolder(data_dir)
    figures = IndexerFigures()
    file = FiguresFile(figures.registry, folder.metrics, PROCESS)
    blocks = open_storage(storage or StorageSettings(), folder, StorageFigures(figures.registry, PROCESS), report)
    indexer = Indexer(folder, figures, report, storage=blocks)
    file.start()
    announce()
    steady = _Steady(indexer, report)
    while not stopped.is_set():
        due = monotonic() + PERIOD_SECONDS
        steady.step()
        stopped.wait(max(0.0, due - monotonic()))
    steady.close()
    file.stop()


class _Steady:
    """Goes on when the disk cannot be written: the log keeps what arrives, and one line says so."""

    def __init__(self, indexer: Indexer, report: Callable[[str], None]) -> None:
        self._indexer = indexer
        self._report = report
        self._failing = False

    def step(self) -> None:
        """One step of the indexer."""
        self._try(self._indexer.step)

    def close(self) -> None:
        """Ends the indexer."""
        self._try(self._indexer.close)

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except OSError as error:
            if not self._failing:
                self._report(f"nothing new becomes visible: {error}; make room, nothing acknowledged is lost")
            self._failing = True
            return
        if self._failing:
            self._report("new spans become visible again")
        self._failing = False
