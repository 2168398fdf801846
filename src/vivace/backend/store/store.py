"""The store as queries see it: a snapshot of the visible units, renewed when the manifest changes."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from vivace.backend.store.block import BlockSource
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.manifest import read_manifest
from vivace.backend.store.segment import open_segment
from vivace.backend.store.unit import CACHE_BYTES, ColumnCache, Unit, UnitInfo, UnitKind

Version = tuple[int, int, int]


class Store:
    """Reads a data folder that an indexer may be writing. Safe for use by several threads."""

    def __init__(self, data_dir: Path, cache_bytes: int = CACHE_BYTES) -> None:
        """Decoded columns of blocks are kept in memory up to `cache_bytes`."""
        self._folder = DataFolder(data_dir)
        self._cache = ColumnCache(cache_bytes)
        self._lock = Lock()
        self._version: Version | None = None
        self._units: dict[str, Unit] = {}

    def snapshot(self) -> tuple[Unit, ...]:
        """The units that are visible now; they stay readable as long as they are held."""
        with self._lock:
            version = self._manifest_version()
            if version != self._version:
                self._renew()
                self._version = version
            return tuple(self._units.values())

    def _manifest_version(self) -> Version | None:
        try:
            status = self._folder.manifest.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _renew(self) -> None:
        """A unit that is gone by the time it is opened was replaced: the manifest that says so is read then."""
        while True:
            manifest = read_manifest(self._folder.manifest)
            try:
                units = {info.id: self._units.get(info.id) or self._open(info) for info in manifest.units}
            except FileNotFoundError:
                if read_manifest(self._folder.manifest) == manifest:
                    raise
                continue
            for gone in self._units.keys() - units.keys():
                self._cache.forget(gone)
            self._units = units
            return

    def _open(self, info: UnitInfo) -> Unit:
        if info.kind is UnitKind.SEGMENT:
            return Unit(info, open_segment(self._folder.segment(info.id)))
        return Unit(info, BlockSource(self._folder.block(info.id)), self._cache)
