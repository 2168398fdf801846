"""Storage in another folder, which can be out of reach."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path

from vivace.backend.store.block import BlockSource
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.storage.local import is_whole, remove_copy
from vivace.backend.store.unit import UnitInfo, UnitKind


class Elsewhere:
    """See Storage; the data folder has copies that may go at any time."""

    def __init__(self, folder: DataFolder, root: Path) -> None:
        self._folder = folder
        self._root = root
        self._root.mkdir(exist_ok=True)
        self.reachable = True

    def names(self) -> set[str]:
        """The blocks that are there."""
        return {path.name for path in self._root.iterdir()}

    def claim(self) -> None:
        """See Storage."""

    def put(self, unit: UnitInfo, folder: Path | None = None, replaces: Collection[str] = ()) -> None:
        """See Storage."""
        self._reach()
        place = folder or self._folder.block(unit.id)
        assert is_whole(place, unit)
        target = self._root / unit.id
        shutil.copytree(place, target / "files", dirs_exist_ok=True)
        (target / "meta.json").write_text(json.dumps({"unit": asdict(unit), "replaces": sorted(replaces)}))

    def open(self, unit: UnitInfo) -> BlockSource:
        """See Storage."""
        return BlockSource(self.fetch(unit))

    def fetch(self, unit: UnitInfo) -> Path:
        """See Storage."""
        place = self._folder.block(unit.id)
        if not is_whole(place, unit):
            self._reach()
            remove_copy(place)
            shutil.copytree(self._root / unit.id / "files", place)
        return place

    def remove(self, unit: UnitInfo) -> None:
        """See Storage."""
        self._reach()
        shutil.rmtree(self._root / unit.id, ignore_errors=True)
        remove_copy(self._folder.block(unit.id))

    def check(self, blocks: Collection[UnitInfo]) -> Mapping[str, str]:
        """See Storage."""
        self._reach()
        return {unit.id: "missing" for unit in blocks if unit.id not in self.names()}

    def restored(self) -> tuple[UnitInfo, ...]:
        """See Storage."""
        self._reach()
        metas = [json.loads((self._root / name / "meta.json").read_text()) for name in sorted(self.names())]
        replaced = {one for meta in metas for one in meta["replaces"]}
        units = [UnitInfo(**{**meta["unit"], "kind": UnitKind.BLOCK}) for meta in metas]
        return tuple(unit for unit in units if unit.id not in replaced)

    def tidy(self, blocks: Collection[UnitInfo]) -> int:
        """See Storage."""
        self._reach()
        garbage = self.names() - {unit.id for unit in blocks}
        for name in garbage:
            shutil.rmtree(self._root / name)
        return len(garbage)

    def _reach(self) -> None:
        if not self.reachable:
            raise OSError("storage is out of reach")
