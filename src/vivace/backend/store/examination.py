"""What is done about a block that somebody could not read: it is read whole.

When it is damaged it is replaced by another copy, or by what can be saved of it, and set aside.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vivace.backend.store.block import BlockSource
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.merger import write_unit
from vivace.backend.store.salvage import salvaged
from vivace.backend.store.storage.interface import Storage
from vivace.backend.store.tables import FIXED, Tables
from vivace.backend.store.unit import UnitInfo, UnitKind, is_damage
from vivace.errors import VivaceError

ROWS: Final = 1 << 16
"""So many rows of a table are read at once."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a block's examination found."""

    unit: UnitInfo
    fault: str = ""
    """Why it cannot be read; empty when it can."""
    saved: tuple[UnitInfo, ...] | None = None
    """Blocks of what could be read of it, which nobody knows of yet; None when there was a good copy in storage."""

    @property
    def lost(self) -> int:
        """How many spans are lost."""
        return 0 if self.saved is None else self.unit.spans - sum(unit.spans for unit in self.saved)

    def __str__(self) -> str:
        found = f"block {self.unit.id} of {self.unit.tenant}: damaged ({' '.join(self.fault.split())})"
        return f"{found}; " + (
            "it was fetched again from storage"
            if self.saved is None
            else f"{self.lost} spans are lost, {self.unit.spans - self.lost} could be saved"
        )


def examine(folder: DataFolder, storage: Storage, unit: UnitInfo) -> Finding:
    """Reads all of a block. A damaged copy is set aside where storage has a good one, else what can be is saved.

    OSError when storage cannot be reached, so that nobody knows, or when what is saved cannot be written.
    """
    fault = _fault(storage, unit)
    if not fault:
        return Finding(unit)
    place = folder.block(unit.id)
    set_aside(folder, place)
    if not _fault(storage, unit):
        return Finding(unit, fault)
    remove_path(place)
    take_back(folder, place)  # until what is saved of it is shown
    return Finding(unit, fault, tuple(_saved(folder, storage, unit)))


def _saved(folder: DataFolder, storage: Storage, unit: UnitInfo) -> list[UnitInfo]:
    """Writes blocks of what can be read."""
    saved: list[UnitInfo] = []
    try:
        for tables in _readable(folder.block(unit.id)):
            block = write_unit(
                folder, UnitKind.BLOCK, tables, unit.tenant, arrived_ns=unit.arrived_ns, level=unit.level
            )
            saved.append(block)
            storage.put(block, replaces=[unit.id])
    except (OSError, VivaceError):
        for one in saved:
            remove_path(folder.block(one.id))
        raise
    return saved


def _readable(path: Path) -> Iterator[Tables]:
    parts = salvaged(BlockSource(path))
    while True:
        try:
            yield next(parts)
        except StopIteration:
            return
        except Exception as error:  # whatever comes of bytes that are not what they were
            _expect_damage(error)
            return


def _expect_damage(error: Exception) -> None:
    """OSError when nobody knows whether something is damaged."""
    if not is_damage(error):
        raise OSError(f"cannot be looked at now: {error!r}") from error


def set_aside(folder: DataFolder, path: Path) -> Path:
    """Moves what is left of something to where damaged things are kept; returns its place there."""
    folder.damaged.mkdir(exist_ok=True)
    place = folder.damaged / path.name
    if path.exists():
        remove_path(place)
        path.rename(place)
    return place


def take_back(folder: DataFolder, path: Path) -> None:
    """Undoes `set_aside`, if that was done."""
    place = folder.damaged / path.name
    if place.exists() and not path.exists():
        place.rename(path)


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
    except Exception as error:  # as above
        _expect_damage(error)
        return str(error) or repr(error)
    return ""


def _read(source: BlockSource) -> None:
    """Reads all of it, some rows at a time."""
    for table in FIXED:
        source.filled(table, 0, min(1, source.rows(table)))
        for first in range(0, source.rows(table), ROWS):
            source.slice(table, first, min(ROWS, source.rows(table) - first))
