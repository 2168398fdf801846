"""Makes few units of many in a thread of its own, while the indexer goes on publishing."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import pyarrow as pa

from vivace.backend.store.block import write_block
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.means import Means
from vivace.backend.store.merge import merge
from vivace.backend.store.plan import Merge, by_tenant
from vivace.backend.store.segment import read_segment, write_segment
from vivace.backend.store.storage.local import remove_copy
from vivace.backend.store.tables import Tables
from vivace.backend.store.unit import READ_ERRORS, UnitInfo, UnitKind, unit_info
from vivace.backend.store.window import by_window
from vivace.errors import VivaceError


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge made; nobody knows of the units yet."""

    job: Merge
    units: tuple[UnitInfo, ...]


class Unmerged(Exception):
    """A merge that came to nothing; `left` are units that it had made by then."""

    def __init__(self, job: Merge, reason: BaseException, left: Sequence[UnitInfo] = ()) -> None:
        super().__init__(in_words(reason))
        self.job = job
        self.left = left


class UnreadableSegments(Unmerged):
    """What was to be merged cannot be read."""


class Merger:
    """Runs one merge at a time; reads units that nobody else removes."""

    def __init__(self, means: Means, attribute_columns: int) -> None:
        self._folder = means.folder
        self._storage = means.storage
        self._worker = means.worker
        self._report = means.report
        self._figures = means.figures
        self._attribute_columns = attribute_columns
        self._running: Future[Merged] | None = None

    @property
    def idle(self) -> bool:
        """No merge runs, and none has a result that was not taken."""
        return self._running is None

    def start(self, job: Merge) -> None:
        """Begins a merge; to be called when idle."""
        self._running = self._worker.submit(self._merge, job)

    def take(self, wait: bool = False) -> Merged | None:
        """The result of the merge that has ended, or None. Unmerged when it came to nothing."""
        if self._running is None or not (wait or self._running.done()):
            return None
        running, self._running = self._running, None
        return running.result()

    def _merge(self, job: Merge) -> Merged:
        made: list[UnitInfo] = []
        try:
            for segments in by_tenant(job.segments).values():
                self._add(job, segments, made)
            for unit in made:
                if unit.kind is UnitKind.BLOCK:
                    self._storage.put(unit)
        except Unmerged as error:
            error.left = made
            raise
        except Exception as error:  # whatever it is, what arrives is to be published all the same
            raise Unmerged(job, error, made) from error
        finally:
            pa.default_memory_pool().release_unused()
        return Merged(job, tuple(made))

    def _add(self, job: Merge, segments: Sequence[UnitInfo], made: list[UnitInfo]) -> None:
        """Makes units of a tenant's segments. What nobody thought of that these bring about is not to be in the way of
        other tenants: then each segment becomes a block as it is."""
        before = len(made)
        try:
            made.extend(self._of_tenant(job, segments))
        except (OSError, VivaceError, Unmerged):
            raise
        except Exception as error:
            if job.kind is UnitKind.SEGMENT:
                raise
            for unit in made[before:]:
                remove_copy(self._folder.block(unit.id))
            del made[before:]
            for unit in segments:
                (tables,) = self._read(job, [unit])
                made.append(write_unit(self._folder, UnitKind.BLOCK, tables, unit.tenant, arrived_ns=unit.arrived_ns))
            self._figures.merge_failed(job)
            who = f"segments of {segments[0].tenant} cannot be merged"
            self._report(f"{who}: {in_words(error)}; each of the {len(segments)} becomes a block of its own")

    def _of_tenant(self, job: Merge, segments: Sequence[UnitInfo]) -> Iterator[UnitInfo]:
        tables = merge(self._read(job, segments), self._attribute_columns)  # what was read is let go before it writes
        arrived_ns = max(unit.arrived_ns for unit in segments)
        for part in by_window(tables) if job.kind is UnitKind.BLOCK else [tables]:
            yield write_unit(self._folder, job.kind, part, segments[0].tenant, arrived_ns=arrived_ns)

    def _read(self, job: Merge, segments: Sequence[UnitInfo]) -> list[Tables]:
        try:
            return [read_segment(self._folder.segment(unit.id)) for unit in segments]
        except READ_ERRORS as error:
            raise UnreadableSegments(job, error) from error


def in_words(error: BaseException) -> str:
    """An error in one line; what nobody thought of with its type."""
    text = " ".join(str(error).split())
    return text if isinstance(error, (OSError, VivaceError)) else f"{type(error).__name__}: {text}"


def write_unit(
    folder: DataFolder, kind: UnitKind, tables: Tables, tenant: str, *, arrived_ns: int, level: int = 0
) -> UnitInfo:
    """Writes a new unit, which is garbage until the manifest names it."""
    identity = uuid.uuid4().hex
    if kind is UnitKind.SEGMENT:
        size = write_segment(tables, folder.segment(identity))
    else:
        size = write_block(tables, folder.block(identity))
    return unit_info(identity, kind, tables, size, tenant=tenant, level=level, arrived_ns=arrived_ns)
