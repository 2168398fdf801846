"""Makes one unit of several in a thread of its own, while the indexer goes on publishing."""

from __future__ import annotations

import shutil
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa

from vivace.backend.store.block import BlockSource, write_block
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.merge import merge
from vivace.backend.store.plan import Merge
from vivace.backend.store.segment import read_segment, write_segment
from vivace.backend.store.tables import Tables
from vivace.backend.store.unit import UnitInfo, UnitKind, unit_info


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge made; nobody knows of the unit yet."""

    job: Merge
    unit: UnitInfo


class Unmergeable(Exception):
    """Units that cannot be read, or that together are more than a unit can hold."""

    def __init__(self, job: Merge, reason: str) -> None:
        super().__init__(
            f"{len(job.units)} units of {sum(unit.spans for unit in job.units)} spans stay apart: {reason}"
        )
        self.job = job


class Merger:
    """Runs one merge at a time; reads units that nobody else removes."""

    def __init__(self, folder: DataFolder, attribute_columns: int) -> None:
        self._folder = folder
        self._attribute_columns = attribute_columns
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="merge")
        self._running: Future[Merged] | None = None

    @property
    def idle(self) -> bool:
        """No merge runs, and none has a result that was not taken."""
        return self._running is None

    def start(self, job: Merge) -> None:
        """Begins a merge; to be called when idle."""
        self._running = self._worker.submit(self._merge, job)

    def take(self, wait: bool = False) -> Merged | None:
        """The result of the merge that has ended, or None. OSError or Unmergeable when it failed; it left nothing."""
        if self._running is None or not (wait or self._running.done()):
            return None
        running, self._running = self._running, None
        return running.result()

    def close(self) -> None:
        """Waits for the thread."""
        self._worker.shutdown()

    def _merge(self, job: Merge) -> Merged:
        try:
            tables = merge([read_unit(self._folder, unit) for unit in job.units], self._attribute_columns)
        except (pa.ArrowException, OSError) as error:
            raise Unmergeable(job, str(error)) from error
        return Merged(job, write_unit(self._folder, job.kind, tables))


def read_unit(folder: DataFolder, unit: UnitInfo) -> Tables:
    """All tables of a unit."""
    if unit.kind is UnitKind.SEGMENT:
        return read_segment(folder.segment(unit.id))
    return BlockSource(folder.block(unit.id)).tables()


def write_unit(folder: DataFolder, kind: UnitKind, tables: Tables) -> UnitInfo:
    """Writes a new unit, which is garbage until the manifest names it."""
    identity = uuid.uuid4().hex
    if kind is UnitKind.SEGMENT:
        size = write_segment(tables, folder.segment(identity))
    else:
        size = write_block(tables, folder.block(identity))
    return unit_info(identity, kind, tables, size)


def remove_unit(folder: DataFolder, unit: UnitInfo) -> None:
    """Removes a unit that the manifest does not name."""
    if unit.kind is UnitKind.SEGMENT:
        folder.segment(unit.id).unlink()
    else:
        shutil.rmtree(folder.block(unit.id))
