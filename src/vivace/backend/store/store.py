"""The store as queries see it: a snapshot of the visible units, renewed when the manifest changes."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from math import inf
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Final

from vivace.backend.store.folder import DataFolder
from vivace.backend.store.manifest import read_manifest
from vivace.backend.store.proposal import DAMAGED, Proposal, propose
from vivace.backend.store.segment import open_segment
from vivace.backend.store.storage.figures import StorageFigures
from vivace.backend.store.storage.opening import open_storage
from vivace.backend.store.storage.settings import StorageSettings
from vivace.backend.store.unit import CACHE_BYTES, ColumnCache, Unit, UnitInfo, UnitKind, UnreadableUnit

Version = tuple[int, int, int]
NOTICE_SECONDS: Final = 600.0
"""So often at most the indexer is asked to look at a block; it may have found nothing, or not have been asked."""


class Store:
    """Reads a data folder that an indexer may be writing. Safe for use by several threads."""

    def __init__(
        self,
        data_dir: Path,
        cache_bytes: int = CACHE_BYTES,
        storage: StorageSettings | None = None,
        figures: StorageFigures | None = None,
    ) -> None:
        """Decoded columns of blocks are kept in memory up to `cache_bytes`; blocks are in storage, if it is given."""
        self._folder = DataFolder(data_dir)
        self._storage = open_storage(storage or StorageSettings(), self._folder, figures)
        self._cache = ColumnCache(cache_bytes)
        self._lock = Lock()
        self._version: Version | None = None
        self._units: dict[str, Unit] = {}
        self._noticed: dict[str, float] = {}
        """Blocks that seemed damaged, and when the indexer was asked to look at them."""

    def snapshot(self, tenants: Collection[str] | None = None) -> tuple[Unit, ...]:
        """The units of some tenants, or of all, that are visible now; they stay readable as long as they are held."""
        with self._lock:
            version = self._manifest_version()
            if version != self._version:
                self._renew()
                self._version = version
            units = tuple(self._units.values())
        return units if tenants is None else tuple(unit for unit in units if unit.info.tenant in tenants)

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
                self._noticed.pop(gone, None)
            self._units = units
            return

    def _open(self, info: UnitInfo) -> Unit:
        if info.kind is UnitKind.SEGMENT:
            return Unit(info, open_segment(self._folder.segment(info.id)))
        return Unit(info, self._storage.open(info), self._cache, self._notice)

    def _notice(self, error: UnreadableUnit) -> None:
        """Asks the indexer to look at what seems damaged; again, but not soon, when it still does."""
        now = monotonic()
        if not error.damaged or now < self._noticed.get(error.unit.id, -inf) + NOTICE_SECONDS:
            return
        self._noticed[error.unit.id] = now
        with suppress(OSError):  # who reads goes on; without room for this nothing would be set aside either
            propose(self._folder, Proposal(frozenset({error.unit.id}), reason=DAMAGED))
