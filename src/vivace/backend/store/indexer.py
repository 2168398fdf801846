"""Follows the log: makes segments of what arrived, publishes them, and makes many units few."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic, time_ns
from typing import Final

from vivace.backend.store.batch import concatenate
from vivace.backend.store.decode import ATTRIBUTE_COLUMNS, arrange
from vivace.backend.store.folder import DataFolder, sync
from vivace.backend.store.indexer_figures import IndexerFigures
from vivace.backend.store.log import LogReader, Record, log_file, log_numbers
from vivace.backend.store.manifest import Manifest, write_manifest
from vivace.backend.store.merge import merge
from vivace.backend.store.merger import Merged, Merger, Unmergeable, remove_unit, write_unit
from vivace.backend.store.plan import DEFAULT_SIZES, Sizes, next_merge
from vivace.backend.store.recovery import recover
from vivace.backend.store.tables import Tables
from vivace.backend.store.unit import UnitInfo, UnitKind

STEP_BYTES: Final = 32 << 20
"""So much of the log goes into one segment at most."""
HELD_BYTES: Final = 1 << 30
"""With so much in segments no more is read before a block is cut of them: a column's strings must stay below 2 GiB."""
LINGER_SECONDS: Final = 60.0
"""A block that was replaced stays for queries that have begun to read it."""
CLOSE_SECONDS: Final = 10.0
"""So long an end may be put off to publish what has arrived; the log keeps the rest."""


class Indexer:
    """Owns the manifest and all units of a data folder."""

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
        self._merger = Merger(folder, attribute_columns)
        self._apart: set[str] = set()
        self._lingering: list[tuple[float, UnitInfo]] = []
        self._figures.units(self._manifest)

    def step(self) -> bool:
        """Publishes what has arrived, and sees to merges; False when nothing had arrived.

        Raises OSError when the disk is full, for instance; then nothing has changed, and the next step tries again.
        """
        try:
            records = list(self._reader.records(STEP_BYTES)) if self._segment_bytes() < HELD_BYTES else []
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
        """Publishes what has arrived, and waits for a merge that runs."""
        deadline = monotonic() + CLOSE_SECONDS
        try:
            while self.step() and monotonic() < deadline:
                pass
            self._take_merged(wait=True)
        finally:
            self._merger.close()

    def _segments(self) -> list[UnitInfo]:
        return [unit for unit in self._manifest.units if unit.kind is UnitKind.SEGMENT]

    def _segment_bytes(self) -> int:
        return sum(unit.bytes for unit in self._segments())

    def _publish(self, records: Sequence[Record]) -> None:
        tables = self._arranged(records)
        if tables is not None:
            unit = write_unit(self._folder, UnitKind.SEGMENT, tables)
            if not self._segments():
                self._oldest = monotonic()
            self._install(self._manifest.published(unit, self._reader.position), unit)
        self._figures.published(records, time_ns())

    def _arranged(self, records: Sequence[Record]) -> Tables | None:
        """Tables of all records. One that cannot be decoded, which the receiver should have refused, is left out."""
        try:
            return arrange(concatenate([record.batch for record in records]), self._attribute_columns)
        except ValueError as error:
            if len(records) == 1:
                self._report(
                    f"{records[0].after}: the record that ends here cannot be decoded, and is left out: {error}"
                )
                self._figures.undecodable.inc(records[0].batch.spans)
                return None
        parts = [tables for record in records if (tables := self._arranged([record])) is not None]
        return merge(parts, self._attribute_columns) if parts else None

    def _install(self, manifest: Manifest, new: UnitInfo) -> None:
        try:
            write_manifest(manifest, self._folder.manifest)
        except OSError:
            remove_unit(self._folder, new)
            raise
        self._manifest = manifest
        self._figures.units(manifest)

    def _see_to_merges(self) -> None:
        self._take_merged()
        if self._merger.idle:
            considered = replace(
                self._manifest, units=tuple(unit for unit in self._manifest.units if unit.id not in self._apart)
            )
            age = monotonic() - self._oldest if self._segments() else 0.0
            if job := next_merge(considered, age, self._sizes):
                self._merger.start(job)
        while self._lingering and self._lingering[0][0] <= monotonic():
            remove_unit(self._folder, self._lingering.pop(0)[1])

    def _take_merged(self, wait: bool = False) -> None:
        try:
            merged = self._merger.take(wait)
        except Unmergeable as error:
            if any(unit.kind is UnitKind.SEGMENT for unit in error.job.units):
                raise  # segments are kept small enough; that they are not is a defect
            self._report(str(error))
            self._apart |= {unit.id for unit in error.job.units}
            return
        if merged is not None:
            self._replace(merged)

    def _replace(self, merged: Merged) -> None:
        """Puts the new unit in the place of the old ones; then those, and what the log need no longer keep, can go."""
        job = merged.job
        manifest = self._manifest.replaced({unit.id for unit in job.units}, (merged.unit,))
        self._install(manifest if job.log is None else replace(manifest, blocks=job.log), merged.unit)
        self._figures.merged(job)
        for unit in job.units:
            if unit.kind is UnitKind.SEGMENT:
                remove_unit(self._folder, unit)  # whoever reads it has it mapped
            else:
                self._lingering.append((monotonic() + LINGER_SECONDS, unit))
        if job.log is not None:
            self._oldest = monotonic()
            sync(self._folder.root)
            for number in log_numbers(self._folder.log):
                if number < job.log.file:
                    log_file(self._folder.log, number).unlink()

    def _report_damages(self) -> None:
        for damage in self._reader.damages[self._reported :]:
            self._report(f"{damage}; spans that were acknowledged may be lost")
            self._figures.damaged.inc(damage.bytes)
        self._reported = len(self._reader.damages)
