"""Blocks in an object store, with copies in the data folder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from threading import Lock, Timer
from typing import Final
from weakref import WeakSet

from vivace.backend.store.block import BlockSource
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.manifest import read_manifest
from vivace.backend.store.storage.backlog import Backlog
from vivace.backend.store.storage.bucket import Bucket
from vivace.backend.store.storage.claim import claim
from vivace.backend.store.storage.copies import Copies
from vivace.backend.store.storage.failure import NoObject, NotWhole, StorageFailure
from vivace.backend.store.storage.figures import StorageFigures
from vivace.backend.store.storage.listing import Listed, blocks_of, key
from vivace.backend.store.storage.local import is_whole
from vivace.backend.store.storage.meta import FILES, NAME, BlockMeta, UnknownFormat
from vivace.backend.store.storage.owner import Owner
from vivace.backend.store.storage.transfer import download, in_parallel, upload
from vivace.backend.store.unit import UnitInfo
from vivace.errors import TargetError

LATER_SECONDS: Final = 1.5
"""By then what was about to be opened is open."""


class ObjectStorage:
    """See Storage. A block is `<tenant>/<id>/<table>.parquet` and, written last and removed first, `meta.json`."""

    def __init__(
        self,
        folder: DataFolder,
        bucket: Bucket,
        cache_bytes: int,
        figures: StorageFigures,
        *,
        adopt: bool = False,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        """What cannot be understood, and is left as it is, is reported in lines."""
        self._folder = folder
        self._bucket = bucket
        self._owner = Owner(folder, bucket)
        self._copies = Copies(folder, cache_bytes, figures)
        self._figures = figures
        self._adopt = adopt
        self._report = report
        self._sources: WeakSet[BlockSource] = WeakSet()
        self._lock = Lock()
        self._blocks_changed = 0
        self._later: Timer | None = None

    def claim(self) -> None:
        """See Storage."""
        try:
            claim(self._folder, self._bucket, self._adopt)
        except StorageFailure as error:
            raise TargetError(f"--storage {self._bucket.where}: {error.reason}; {error.remedy}") from error
        self._copies.clean()

    def put(self, unit: UnitInfo, folder: Path | None = None, replaces: Collection[str] = ()) -> None:
        """See Storage."""
        place = folder or self._folder.block(unit.id)
        if not is_whole(place, unit):
            raise OSError(f"{place}: is not the {unit.bytes} bytes of block {unit.id}")
        meta = BlockMeta(unit, {name: (place / name).stat().st_size for name in FILES}, frozenset(replaces))
        self._owner.assert_ours()
        upload(self._bucket, place, meta)
        self._bucket.put(key(unit.tenant, unit.id, NAME), meta.encode())
        self._make_room()

    def open(self, unit: UnitInfo) -> BlockSource:
        """See Storage."""
        source = BlockSource(self._folder.block(unit.id), lambda: self.fetch(unit))
        with self._lock:
            self._sources.add(source)
        return source

    def fetch(self, unit: UnitInfo) -> Path:
        """See Storage."""
        if self._copies.fetched(unit, lambda place: self._load(unit, place)):
            self._make_room()
        self._let_go()
        return self._folder.block(unit.id)

    def remove(self, unit: UnitInfo) -> None:
        """See Storage."""
        self._owner.assert_ours()
        self._delete(Listed(unit.tenant, unit.id, dict.fromkeys((NAME, *FILES), 0)))
        self._copies.remove(unit)

    def check(self, blocks: Collection[UnitInfo]) -> Mapping[str, str]:
        """See Storage. Blocks that only the data folder has whole are put, in the background."""
        listed = self._listed()
        unsent: list[UnitInfo] = []
        wrong: dict[str, str] = {}
        for unit in blocks:
            if unit.id in listed and listed[unit.id].holds(unit):
                continue
            if is_whole(self._folder.block(unit.id), unit):
                unsent.append(unit)
            else:
                wrong[unit.id] = f"{'damaged' if unit.id in listed else 'missing'} in {self._bucket.where}"
        Backlog(self.put, self.remove, self._is_named, self._figures).begin(unsent)
        return wrong

    def restored(self) -> tuple[UnitInfo, ...]:
        """See Storage. A block of another version that is not replaced is a TargetError: it would soon be garbage."""
        listed = {block: item for block, item in self._listed().items() if item.complete}
        metas, strange = self._metas(listed)
        replaced = {block for meta in metas if listed[meta.unit.id].holds(meta.unit) for block in meta.replaces}
        for error in (error for block, error in strange.items() if block not in replaced):
            if isinstance(error, UnknownFormat):
                raise TargetError(f"--storage {error}; use the version that wrote it, or remove the block") from error
            self._report(f"{error}; the block is left out, and left as it is")
        units = [meta.unit for meta in metas if meta.unit.id not in replaced]
        return tuple(sorted(units, key=lambda unit: (unit.start_ns, unit.id)))

    def tidy(self, blocks: Collection[UnitInfo]) -> int:
        """See Storage. Nothing is removed when a block is missing: manifest and object store may not be of one time.

        What is left of damaged blocks stays, and what is not understood.
        """
        listed = self._listed()
        kept = {unit.id for unit in blocks}
        if not self._folder.manifest.exists() or not kept <= listed.keys():
            return 0
        garbage = self._garbage({block: item for block, item in listed.items() if block not in kept})
        if garbage:
            self._owner.assert_ours()
        for item in garbage:
            self._delete(item)
        return len(garbage)

    def _listed(self) -> dict[str, Listed]:
        return {item.block: item for item in blocks_of(self._bucket.sizes())}

    def _meta(self, tenant: str, block: str) -> BlockMeta:
        """NoObject when there is none, ValueError when it is not understood."""
        place = key(tenant, block, NAME)
        text = self._bucket.get(place)
        try:
            meta = BlockMeta.decode(text)
            if (meta.unit.tenant, meta.unit.id) != (tenant, block):
                raise ValueError(f"it is of block {meta.unit.id} of {meta.unit.tenant}")
        except ValueError as error:
            kind = UnknownFormat if isinstance(error, UnknownFormat) else ValueError
            raise kind(f"{self._bucket.where}: {place}: {error}") from error
        return meta

    def _metas(self, listed: Mapping[str, Listed]) -> tuple[list[BlockMeta], dict[str, ValueError]]:
        """What is known of blocks, and by block why nothing is known of the others."""
        metas: list[BlockMeta] = []
        strange: dict[str, ValueError] = {}
        for block, found in zip(listed, in_parallel(self._meta_or_error, listed.values()), strict=True):
            if isinstance(found, ValueError):
                strange[block] = found
            else:
                metas.append(found)
        return metas, strange

    def _meta_or_error(self, item: Listed) -> BlockMeta | ValueError:
        try:
            return self._meta(item.tenant, item.block)
        except ValueError as error:
            return error

    def _load(self, unit: UnitInfo, place: Path) -> None:
        try:
            meta = self._meta(unit.tenant, unit.id)
        except ValueError as error:
            raise NotWhole(str(error)) from error
        if meta.unit.bytes != unit.bytes:
            raise NotWhole(f"{self._bucket.where}: {key(unit.tenant, unit.id)} is another block than it was")
        download(self._bucket, meta, place)

    def _garbage(self, listed: Mapping[str, Listed]) -> list[Listed]:
        """What may go, in order: those that another replaces first, for were only that one gone, they would count."""
        known, strange = self._metas({block: item for block, item in listed.items() if item.complete})
        for error in strange.values():
            self._report(f"{error}; nothing needs the block, and it is left as it is")
        metas = {meta.unit.id: meta for meta in known}
        left = strange.keys() | {block for block, meta in metas.items() if not listed[block].holds(meta.unit)}
        order = TopologicalSorter({block: meta.replaces & listed.keys() for block, meta in metas.items()})
        blocks = dict.fromkeys([*order.static_order(), *listed])
        return [listed[block] for block in blocks if block not in left]

    def _delete(self, item: Listed) -> None:
        first, *rest = item.keys
        self._bucket.delete([first])
        self._bucket.delete(rest)

    def _is_named(self, unit: UnitInfo) -> bool:
        return any(named.id == unit.id for named in read_manifest(self._folder.manifest).units)

    def _make_room(self) -> None:
        try:
            enough = self._copies.make_room(self._has)
        except OSError:  # what was asked for is done; there is more room to be made the next time
            self._figures.copy("kept")
            return
        with self._lock:
            if not enough and self._later is None:
                self._later = Timer(LATER_SECONDS, self._make_room_later)
                self._later.daemon = True
                self._later.start()

    def _make_room_later(self) -> None:
        with self._lock:
            self._later = None
        self._make_room()
        self._let_go()

    def _has(self, unit: UnitInfo) -> bool:
        try:
            return self._meta(unit.tenant, unit.id).unit.bytes == unit.bytes
        except (NoObject, ValueError):
            return False

    def _let_go(self) -> None:
        """Closes the files of blocks that went, when some have come or gone since the last time."""
        changed = self._folder.blocks.stat().st_mtime_ns
        with self._lock:
            if changed == self._blocks_changed:
                return
            self._blocks_changed = changed
            sources = list(self._sources)
        for source in sources:
            source.let_go()
