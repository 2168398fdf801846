"""What a data folder holds: the manifest with its units, and those that were replaced but may still be read.

The indexer has one; nobody else writes the manifest, or removes a unit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final

from vivace.backend.store.folder import sync
from vivace.backend.store.log import log_file, log_numbers
from vivace.backend.store.manifest import LogPosition, Manifest, write_manifest
from vivace.backend.store.means import Means
from vivace.backend.store.unit import UnitInfo, UnitKind
from vivace.errors import VivaceError

LINGER_SECONDS: Final = 60.0
"""A block that was replaced stays for queries that have begun to read it."""
RETRY_SECONDS: Final = 30.0
"""What could not be removed is tried again after this."""


@dataclass(frozen=True, slots=True)
class _Lingering:
    unit: UnitInfo
    until: float


@dataclass(frozen=True, slots=True)
class _Removed:
    removed: Sequence[_Lingering]
    error: str = ""


class Holdings:
    """The units that are visible, and the changes that can be made to them."""

    def __init__(self, means: Means, manifest: Manifest) -> None:
        """The manifest is the one in place."""
        self._folder = means.folder
        self._storage = means.storage
        self._worker = means.worker
        self._figures = means.figures
        self._report = means.report
        self._lingering: list[_Lingering] = []
        self._removing: Future[_Removed] | None = None
        self._not_before = 0.0
        self._oldest = monotonic()
        self.manifest = manifest
        self._figures.units(manifest)

    def segments(self) -> list[UnitInfo]:
        """The visible segments."""
        return [unit for unit in self.manifest.units if unit.kind is UnitKind.SEGMENT]

    def oldest_s(self) -> float:
        """The age of the oldest segment, 0 without one."""
        return monotonic() - self._oldest if self.segments() else 0.0

    def names(self, units: Collection[str]) -> bool:
        """Whether all units of these IDs are visible."""
        return {unit.id for unit in self.manifest.units}.issuperset(units)

    def publish(self, segments: Sequence[UnitInfo], log: LogPosition) -> None:
        """Shows new segments, which reach up to a log position. OSError when that cannot be written: then none is."""
        if not self.segments():
            self._oldest = monotonic()
        self._install(self.manifest.published(segments, log))

    def replace(self, old: Collection[UnitInfo], new: Sequence[UnitInfo], blocks: LogPosition | None = None) -> None:
        """Shows units in place of others; `blocks` says up to where the log is in blocks then, if that has changed."""
        self.replace_each([(old, new)], blocks)

    def replace_each(
        self, changes: Iterable[tuple[Collection[UnitInfo], Sequence[UnitInfo]]], blocks: LogPosition | None = None
    ) -> None:
        """Several such changes at once."""
        manifest = self.manifest
        old: list[UnitInfo] = []
        for some, new in changes:
            manifest = manifest.replaced({unit.id for unit in some}, new)
            old += some
        self._install(manifest if blocks is None else replace(manifest, blocks=blocks))
        self.discard([unit for unit in old if unit.kind is UnitKind.SEGMENT])
        until = monotonic() + LINGER_SECONDS
        self._lingering += [_Lingering(unit, until) for unit in old if unit.kind is UnitKind.BLOCK]
        if blocks is not None:
            self._oldest = monotonic()
            self._forget_log(blocks)

    def begin_again(self) -> None:
        """Shows no segments any more; what they held is to be read from the log again."""
        segments = self.segments()
        self._install(self.manifest.without_segments())
        self.discard(segments)

    def discard(self, units: Collection[UnitInfo]) -> None:
        """Removes units that the manifest does not name; blocks in the background."""
        for unit in units:
            if unit.kind is UnitKind.SEGMENT:
                self._folder.segment(unit.id).unlink(missing_ok=True)  # whoever reads it has it mapped
            else:
                self._lingering.append(_Lingering(unit, monotonic()))

    def tidy(self) -> None:
        """Removes the blocks that have lingered, in the background and in the order in which they were replaced."""
        now = monotonic()
        if self._removing is not None and self._removing.done():
            self._take_removed(self._removing.result())
            self._removing = None
        if self._removing is None and self._not_before <= now:
            due = [one for one in self._lingering if one.until <= now]
            self._removing = self._worker.submit(self._remove, due) if due else None

    def _remove(self, due: Sequence[_Lingering]) -> _Removed:
        """In the worker."""
        removed: list[_Lingering] = []
        try:
            sync(self._folder.root)  # a manifest that does not name them is there to stay
            for one in due:
                self._storage.remove(one.unit)
                removed.append(one)
        except (OSError, VivaceError) as error:
            return _Removed(removed, str(error))
        return _Removed(removed)

    def _take_removed(self, done: _Removed) -> None:
        removed = {one.unit.id for one in done.removed}
        self._lingering = [one for one in self._lingering if one.unit.id not in removed]
        if done.error:
            self._report(f"blocks that were replaced cannot be removed yet: {done.error}")
            self._not_before = monotonic() + RETRY_SECONDS

    def _install(self, manifest: Manifest) -> None:
        write_manifest(manifest, self._folder.manifest)
        self.manifest = manifest
        self._figures.units(manifest)

    def _forget_log(self, blocks: LogPosition) -> None:
        """Removes files of the log whose every record is in blocks, once the manifest is there to stay.

        None goes for a position in a file that is not there: what is before it was never read.
        """
        sync(self._folder.root)
        numbers = log_numbers(self._folder.log)
        for number in numbers:
            if blocks.file in numbers and number < blocks.file:
                log_file(self._folder.log, number).unlink()
