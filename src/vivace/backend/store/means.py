"""What the parts of the indexer share."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from vivace.backend.store.folder import DataFolder
from vivace.backend.store.indexer_figures import IndexerFigures
from vivace.backend.store.storage.interface import Storage


@dataclass(frozen=True, slots=True)
class Means:
    """What it takes to change what a data folder holds."""

    folder: DataFolder
    storage: Storage
    worker: Executor
    """It has one thread, in which blocks are made, put in storage, looked at and removed, one after the other."""
    figures: IndexerFigures
    report: Callable[[str], None]
