"""Blocks kept in the data folder alone."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from vivace.backend.store.block import BlockSource
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.storage.home import read_home
from vivace.backend.store.unit import UnitInfo
from vivace.errors import ConfigurationError


class LocalStorage:
    """See Storage. A block is at its place from the moment it is written, and durable as it is."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder

    def claim(self) -> None:
        """See Storage; refuses a folder whose blocks are in an object store."""
        home = read_home(self._folder)
        if home is not None:
            raise ConfigurationError(
                f"--storage: the blocks of {self._folder.root} are in {home.where};"
                f" start with --storage {home.where}, or with another data folder"
            )

    def put(self, unit: UnitInfo, folder: Path | None = None, replaces: Collection[str] = ()) -> None:
        """See Storage."""

    def open(self, unit: UnitInfo) -> BlockSource:
        """See Storage."""
        return BlockSource(self._folder.block(unit.id))

    def fetch(self, unit: UnitInfo) -> Path:
        """See Storage."""
        path = self._folder.block(unit.id)
        if not path.is_dir():
            raise FileNotFoundError(f"{path}: no such block")
        return path

    def remove(self, unit: UnitInfo) -> None:
        """See Storage."""
        remove_copy(self._folder.block(unit.id))

    def check(self, blocks: Collection[UnitInfo]) -> Mapping[str, str]:
        """See Storage."""
        return {unit.id: "damaged" for unit in blocks if not is_whole(self._folder.block(unit.id), unit)}

    def restored(self) -> tuple[UnitInfo, ...]:
        """See Storage; without a manifest nothing is known."""
        return ()

    def tidy(self, blocks: Collection[UnitInfo]) -> int:  # noqa: ARG002 - see Storage
        """See Storage; what is not in the manifest goes with the rest of the data folder's garbage."""
        return 0


def is_whole(folder: Path, unit: UnitInfo) -> bool:
    """Whether a block's local files have the size that they must have together."""
    try:
        return sum(path.stat().st_size for path in folder.iterdir()) == unit.bytes
    except OSError:
        return False


def remove_copy(folder: Path) -> None:
    """Removes a block's local files; nothing when they are gone already. Who has them open goes on reading."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        if folder.exists():  # another process is removing it as well
            shutil.rmtree(folder, ignore_errors=True)
