"""What is done about a block that somebody could not read: it is read whole, and set aside when it is damaged."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vivace.backend.store.block import BlockSource
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.storage.interface import Storage
from vivace.backend.store.tables import FIXED
from vivace.backend.store.unit import READ_ERRORS, UnitInfo

ROWS: Final = 1 << 16
"""So many rows of a table are read at once."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a block's examination found."""

    unit: UnitInfo
    fault: str = ""
    """Why it cannot be read; empty when it can."""
    lost: bool = False
    """There is no other copy of it."""
    kept: Path | None = None
    """Where the damaged copy is."""

    def __str__(self) -> str:
        outcome = f"{self.unit.spans} spans are lost" if self.lost else "it was fetched again from storage"
        return (
            f"block {self.unit.id} of {self.unit.tenant}: damaged ({self.fault}); {outcome},"
            f" what is left of it is in {self.kept}"
        )


def examine(folder: DataFolder, storage: Storage, unit: UnitInfo) -> Finding:
    """Reads all of a block. A damaged copy is set aside; then another is fetched, where there is one.

    OSError when storage cannot be reached, so that nobody knows.
    """
    fault = _fault(storage, unit)
    if not fault:
        return Finding(unit)
    kept = set_aside(folder, folder.block(unit.id))
    return Finding(unit, fault, bool(_fault(storage, unit)), kept)


def set_aside(folder: DataFolder, path: Path) -> Path:
    """Moves what is left of something to where damaged things are kept; returns its place there."""
    folder.damaged.mkdir(exist_ok=True)
    place = folder.damaged / path.name
    if path.exists():
        remove_path(place)
        path.rename(place)
    return place


def remove_path(path: Path) -> None:
    """Removes a file, or a folder with what is in it, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _fault(storage: Storage, unit: UnitInfo) -> str:
    """Why a block cannot be read, or nothing."""
    try:
        path = storage.fetch(unit)
    except FileNotFoundError as error:
        return str(error)
    try:
        _read(BlockSource(path))
    except READ_ERRORS as error:
        return str(error)
    return ""


def _read(source: BlockSource) -> None:
    """Reads all of it, some rows at a time."""
    for table in FIXED:
        source.filled(table, 0, min(1, source.rows(table)))
        for first in range(0, source.rows(table), ROWS):
            source.slice(table, first, min(ROWS, source.rows(table) - first))
