"""Follows the log: makes segments of what arrived, publishes them, and makes many units few."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, time_ns
from typing import Final

from vivace.backend.store.batch import concatenate
from vivace.backend.store.decode import ATTRIBUTE_COLUMNS, arrange
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.holdings import Holdings
from vivace.backend.store.indexer_figures import IndexerFigures
from vivace.backend.store.log import LogReader, Record
from vivace.backend.store.means import Means
from vivace.backend.store.merge import merge
from vivace.backend.store.merger import Merged, Merger, Unmerged, UnreadableSegments, write_unit
from vivace.backend.store.plan import DEFAULT_SIZES, Sizes, next_merge
from vivace.backend.store.recovery import recover
from vivace.backend.store.storage.interface import Storage
from vivace.backend.store.storage.local import LocalStorage
from vivace.backend.store.tables import Tables
from vivace.backend.store.takeover import Takeover
from vivace.backend.store.unit import UnitInfo, UnitKind

STEP_BYTES: Final = 16 << 20
"""So much of the log goes into segments at once at most."""
HELD_BYTES: Final = 512 << 20
"""With so much in segments no more is read before blocks are cut of them. It bounds the memory that this takes: while
a block is cut of one half, the other comes in."""
CLOSE_SECONDS: Final = 10.0
"""So long an end may be put off to publish what has arrived; the log keeps the rest."""
LONGEST_PAUSE: Final = 30.0
"""A merge that came to nothing is tried again after a second, then after twice as long each time, but this at most."""


class Indexer:
    """Owns the manifest and all units of a data folder."""

    def __init__(
        self,
        folder: DataFolder,
        figures: IndexerFigures,
        report: Callable[[str], None],
        sizes: Sizes = DEFAULT_SIZES,
        *,
        attribute_columns: int = ATTRIBUTE_COLUMNS,
        storage: Storage | None = None,
    ) -> None:
        """Recovers from however the last one ended.

        TargetError when the manifest cannot be understood or the storage not be used, ConfigurationError when it is not
        the storage of this folder.
        """
        self._folder = folder
        self._figures = figures
        self._report = report
        self._sizes = sizes
        self._attribute_columns = attribute_columns
        storage = storage or LocalStorage(folder)
        manifest, reports = recover(folder, storage)
        for line in reports:
            report(line)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="units")
        means = Means(folder, storage, self._worker, figures, report)
        self._holdings = Holdings(means, manifest)
        self._takeover = Takeover(means, self._holdings)
        self._merger = Merger(means, attribute_columns)
        self._read_from_manifest()
        self._pause = 0.0
        self._merge_due = 0.0

    def step(self) -> bool:
        """Publishes what has arrived, and sees to merges and proposals; False when nothing had arrived.

        Raises OSError when the disk is full, for instance; then nothing has changed, and the next step tries again.
        """
        try:
            records = list(self._reader.records(STEP_BYTES)) if self._segment_bytes() < HELD_BYTES else []
            self._report_damages()
            if records:
                self._publish(records)
        except OSError:
            self._read_from_manifest()
            raise
        self._figures.ahead.set(self._reader.ahead())
        self._take_merged()
        self._start_merge()
        self._takeover.step()
        self._holdings.tidy()
        return bool(records)

    def close(self) -> None:
        """Publishes what has arrived, and waits for a merge that runs."""
        deadline = monotonic() + CLOSE_SECONDS
        try:
            while self.step() and monotonic() < deadline:
                pass
            self._take_merged(wait=True)
        finally:
            self._worker.shutdown(cancel_futures=True)

    def _read_from_manifest(self) -> None:
        self._reader = LogReader(self._folder.log, self._holdings.manifest.log)
        self._reported = 0

    def _segment_bytes(self) -> int:
        return sum(unit.bytes for unit in self._holdings.segments())

    def _publish(self, records: Sequence[Record]) -> None:
        """A segment for each tenant that has records, all at once."""
        made: list[UnitInfo] = []
        try:
            for tenant, own in _by_tenant(records).items():
                tables = self._arranged(own)
                if tables is not None:
                    arrived_ns = max(record.received_ns for record in own)
                    made.append(write_unit(self._folder, UnitKind.SEGMENT, tables, tenant, arrived_ns=arrived_ns))
            self._holdings.publish(made, self._reader.position)
        except OSError:
            self._holdings.discard(made)
            raise
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

    def _start_merge(self) -> None:
        if not self._merger.idle or monotonic() < self._merge_due:
            return
        if job := next_merge(self._holdings.manifest, self._holdings.oldest_s(), self._sizes):
            self._merger.start(job)

    def _take_merged(self, wait: bool = False) -> None:
        try:
            merged = self._merger.take(wait)
        except Unmerged as failure:
            self._figures.merge_failed(failure.job)
            if isinstance(failure, UnreadableSegments):
                self._begin_again(failure)
            else:
                self._try_later(failure)
        else:
            if merged is not None:
                self._pause = 0.0
                self._show(merged)

    def _show(self, merged: Merged) -> None:
        job = merged.job
        try:
            self._holdings.replace(job.segments, merged.units, job.log)
        except OSError:
            self._holdings.discard(merged.units)
            raise
        self._figures.merged(job)

    def _try_later(self, failure: Unmerged) -> None:
        self._holdings.discard(failure.left)
        if not self._pause:
            made = f"no {failure.job.kind}s can be made of {len(failure.job.segments)} segments"
            self._report(f"{made}: {failure}; the log keeps everything, it is tried again")
        self._pause = min(LONGEST_PAUSE, 2 * self._pause or 1.0)
        self._merge_due = monotonic() + self._pause

    def _begin_again(self, failure: UnreadableSegments) -> None:
        self._holdings.discard(failure.left)
        self._report(f"segments cannot be read: {failure}; they are made again from the log")
        self._holdings.begin_again()
        self._read_from_manifest()

    def _report_damages(self) -> None:
        for damage in self._reader.damages[self._reported :]:
            self._report(f"{damage}; spans that were acknowledged may be lost")
            self._figures.damaged.inc(damage.bytes)
        self._reported = len(self._reader.damages)


def _by_tenant(records: Iterable[Record]) -> Mapping[str, Sequence[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.tenant, []).append(record)
    return found
