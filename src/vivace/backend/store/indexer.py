"""Follows the log: makes segments of what arrived, publishes them, and makes many units few."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, time_ns
from typing import Final

from vivace.backend.store.batch import concatenate
from vivace.backend.store.block import BlockSource, write_block
from vivace.backend.store.decode import ATTRIBUTE_COLUMNS, arrange
from vivace.backend.store.folder import DataFolder, sync
from vivace.backend.store.indexer_figures import IndexerFigures
from vivace.backend.store.log import LogReader, Record, log_file, log_numbers
from vivace.backend.store.manifest import Manifest, write_manifest
from vivace.backend.store.merge import merge
from vivace.backend.store.plan import DEFAULT_SIZES, Merge, Sizes, next_merge
from vivace.backend.store.recovery import recover
from vivace.backend.store.segment import read_segment, write_segment
from vivace.backend.store.tables import Tables
from vivace.backend.store.unit import UnitInfo, UnitKind, unit_info

STEP_BYTES: Final = 32 << 20
"""So much of the log goes into one segment at most."""
LINGER_SECONDS: Final = 60.0
"""A block that was replaced stays for queries that have begun to read it."""


@dataclass(frozen=True, slots=True)
class _Merged:
    job: Merge
    unit: UnitInfo


class Indexer:
    """Owns the manifest and all units of a data folder. Merges run in a thread of their own."""

    def __init__(
        self,
        folder: DataFolder,
        figures: IndexerFigures,
        report: Callable[[str], None],
        sizes: Sizes = DEFAULT_SIZES,
        attribute_columns: int = ATTRIBUTE_COLUMNS,
    ) -> None:
        """Recovers from however the last one ended. TargetError when the manifest cannot be understood."""
        self._folder = folder
        self._figures = figures
        self._report = report
        self._sizes = sizes
        self._attribute_columns = attribute_columns
        self._manifest, reports = recover(folder)
        for line in reports:
            report(line)
        self._reader = LogReader(folder.log, self._manifest.log)
        self._reported = 0
        self._oldest = monotonic()
        self._merging: Future[_Merged] | None = None
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="merge")
        self._lingering: list[tuple[float, Path]] = []
        self._figures.units(self._manifest)

    def step(self) -> bool:
        """Publishes what has arrived, and sees to merges; False when nothing had arrived.

        Raises OSError when the disk is full, for instance; then nothing has changed, and the next step tries again.
        """
        try:
            records = list(self._reader.records(STEP_BYTES))
            self._report_damages()
            if records:
                self._publish(records)
        except OSError:
            self._reader = LogReader(self._folder.log, self._manifest.log)
            self._reported = 0
            raise
        self._figures.ahead.set(self._reader.ahead())
        self._see_to_merges()
        return bool(records)

    def close(self) -> None:
        """Publishes all that has arrived, and waits for a merge that runs."""
        while self.step():
            pass
        if self._merging is not None:
            self._finish(self._merging.result())
        self._worker.shutdown()

    def _publish(self, records: Sequence[Record]) -> None:
        tables = self._arranged(records)
        if tables is not None:
            unit = self._write_segment(tables)
            if not any(one.kind is UnitKind.SEGMENT for one in self._manifest.units):
                self._oldest = monotonic()
            self._install(self._manifest.published(unit, self._reader.position))
        self._figures.published(records, time_ns())

    def _arranged(self, records: Sequence[Record]) -> Tables | None:
        """Tables of all records. One that cannot be decoded, which the receiver should have refused, is set aside."""
        try:
            return arrange(concatenate([record.batch for record in records]), self._attribute_columns)
        except ValueError as error:
            if len(records) == 1:
                self._report(
                    f"{records[0].after}: the record that ends here cannot be decoded: {error}; it is left out"
                )
                self._figures.undecodable.inc(records[0].batch.spans)
                return None
        parts = [tables for record in records if (tables := self._arranged([record])) is not None]
        return merge(parts, self._attribute_columns) if parts else None

    def _write_segment(self, tables: Tables) -> UnitInfo:
        identity = uuid.uuid4().hex
        size = write_segment(tables, self._folder.segment(identity))
        return unit_info(identity, UnitKind.SEGMENT, tables, size)

    def _install(self, manifest: Manifest) -> None:
        write_manifest(manifest, self._folder.manifest)
        self._manifest = manifest
        self._figures.units(manifest)

    def _see_to_merges(self) -> None:
        if self._merging is not None and self._merging.done():
            merging, self._merging = self._merging, None
            self._finish(merging.result())
        if self._merging is None:
            segments = any(unit.kind is UnitKind.SEGMENT for unit in self._manifest.units)
            job = next_merge(self._manifest, monotonic() - self._oldest if segments else 0.0, self._sizes)
            if job is not None:
                self._merging = self._worker.submit(self._merge, job)
        self._remove_lingering()

    def _merge(self, job: Merge) -> _Merged:
        """Runs in the thread for merges; reads units that nobody else removes, and writes one that nobody knows yet."""
        with self._figures.merging.time():
            tables = merge([self._read(unit) for unit in job.units], self._attribute_columns)
            if job.kind is UnitKind.SEGMENT:
                return _Merged(job, self._write_segment(tables))
            identity = uuid.uuid4().hex
            size = write_block(tables, self._folder.block(identity))
            return _Merged(job, unit_info(identity, UnitKind.BLOCK, tables, size))

    def _read(self, unit: UnitInfo) -> Tables:
        if unit.kind is UnitKind.SEGMENT:
            return read_segment(self._folder.segment(unit.id))
        return BlockSource(self._folder.block(unit.id)).tables()

    def _finish(self, merged: _Merged) -> None:
        """Puts the new unit in the place of the old ones; then those, and what the log need no longer keep, can go."""
        job = merged.job
        manifest = self._manifest.replaced({unit.id for unit in job.units}, (merged.unit,))
        self._install(manifest if job.log is None else replace(manifest, blocks=job.log))
        if job.log is not None:
            self._oldest = monotonic()
        self._figures.merged(job)
        for unit in job.units:
            if unit.kind is UnitKind.SEGMENT:
                self._folder.segment(unit.id).unlink()
            else:
                self._lingering.append((monotonic() + LINGER_SECONDS, self._folder.block(unit.id)))
        if job.log is not None:
            sync(self._folder.root)
            for number in log_numbers(self._folder.log):
                if number < job.log.file:
                    log_file(self._folder.log, number).unlink()

    def _remove_lingering(self) -> None:
        while self._lingering and self._lingering[0][0] <= monotonic():
            shutil.rmtree(self._lingering.pop(0)[1])

    def _report_damages(self) -> None:
        for damage in self._reader.damages[self._reported :]:
            self._report(f"{damage}; spans that were acknowledged may be lost")
            self._figures.damaged.inc(damage.bytes)
        self._reported = len(self._reader.damages)
