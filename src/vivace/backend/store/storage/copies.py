"""Local copies of blocks that an object store has: fetched once, kept while there is room, the least used go first.

A copy's folder is there whole or not at all; when it was last used is its time of modification.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import time_ns
from typing import Final

from vivace.backend.store.folder import DataFolder, sync
from vivace.backend.store.manifest import read_manifest
from vivace.backend.store.storage.figures import StorageFigures
from vivace.backend.store.storage.local import is_whole
from vivace.backend.store.unit import UnitInfo, UnitKind

JUST_NOW_NS: Final = 10**9


class Copies:
    """The folder of blocks as a cache. Safe for use by several threads and processes."""

    def __init__(self, folder: DataFolder, limit: int, figures: StorageFigures) -> None:
        """Copies hold `limit` bytes; more only as long as the object store is not known to have them."""
        self._folder = folder
        self._limit = limit
        self._figures = figures
        self._moving = folder.root / "moving"
        self._moving.mkdir(parents=True, exist_ok=True)

    def fetched(self, unit: UnitInfo, load: Callable[[Path], None]) -> bool:
        """Makes sure that a block is there, and marks it as used; False when it was. `load` writes it to a folder."""
        if self._found(unit):
            return False
        with _locked(self._moving / f"{unit.id[:2]}.lock"):
            if self._found(unit):
                return False
            self._receive(unit, load)
        self._figures.copy("fetched")
        return True

    def make_room(self, is_kept: Callable[[UnitInfo], bool]) -> bool:
        """Removes what was not used for longest until the rest is small enough; False when more is to go later.

        Only blocks that the manifest names and that the object store has are removed, but not the one used last, nor
        what somebody may be about to open. An OSError of `is_kept` ends it.
        """
        with _locked(self._moving / "room.lock"):
            copies = self._copies()
            held = sum(unit.bytes for _, unit in copies)
            settled = time_ns() - JUST_NOW_NS
            for used, unit in copies[:-1]:
                if held <= self._limit or used > settled:
                    break
                if is_kept(unit):
                    self.remove(unit)
                    self._figures.copy("evicted")
                    held -= unit.bytes
            self._figures.held(held)
            return held <= self._limit or all(used <= settled for used, _ in copies[:-1])

    def remove(self, unit: UnitInfo) -> None:
        """Removes a copy at once; whoever has its files open goes on reading."""
        place = self._moving / f"{unit.id}.{uuid.uuid4().hex}"
        with suppress(FileNotFoundError):
            self._folder.block(unit.id).rename(place)
            shutil.rmtree(place)

    def clean(self) -> None:
        """Removes what processes left that were killed."""
        for path in [path for path in self._moving.iterdir() if path.suffix != ".lock"]:
            with _locked(self._moving / f"{path.name[:2]}.lock"):
                shutil.rmtree(path, ignore_errors=True)  # it may be on its way out in another process

    def _found(self, unit: UnitInfo) -> bool:
        place = self._folder.block(unit.id)
        whole = is_whole(place, unit)
        if whole:
            with suppress(FileNotFoundError):
                os.utime(place)
        return whole

    def _receive(self, unit: UnitInfo, load: Callable[[Path], None]) -> None:
        place = self._moving / unit.id
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        try:
            load(place)
            sync(place)
            if self._folder.block(unit.id).exists():
                self.remove(unit)
                self._figures.copy("damaged")
            place.rename(self._folder.block(unit.id))
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise

    def _copies(self) -> list[tuple[int, UnitInfo]]:
        """When each was last used, and it, the least used first."""
        units = [unit for unit in read_manifest(self._folder.manifest).units if unit.kind is UnitKind.BLOCK]
        copies: list[tuple[int, UnitInfo]] = []
        for unit in units:
            with suppress(FileNotFoundError):
                copies.append((self._folder.block(unit.id).stat().st_mtime_ns, unit))
        return sorted(copies, key=lambda copy: copy[0])


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One thread of one process at a time; the operating system frees it with the process."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
