"""What the compactor counts, under Tempo's names."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from vivace.backend.compact.plan import Job
from vivace.backend.store.unit import UnitInfo


class CompactorFigures:
    """The compactor's metrics; a level is that of the blocks that are read, as Tempo has it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._blocks = self._counter("tempodb_compaction_blocks", "Blocks that were made one with others", ["level"])
        self._bytes = self._counter("tempodb_compaction_bytes_written", "Bytes of compacted blocks", ["level"])
        self._traces = self._counter("tempodb_compaction_objects_written", "Traces of compacted blocks", ["level"])
        self._combined = self._counter(
            "tempodb_compaction_objects_combined", "Parts of traces that were joined to others", ["level"]
        )
        self._deduped = self._counter(
            "tempodb_compaction_spans_deduped", "Spans that were there more than once", ["tenant"]
        )
        self._compactions = self._counter("tempo_compactor_compaction", "Compactions that took effect", [])
        self.errors = self._counter("tempodb_compaction_errors", "Compactions that failed", [])
        self._outstanding = Gauge(
            "tempodb_compaction_outstanding_blocks",
            "Blocks that can be made fewer now",
            ["tenant"],
            registry=self.registry,
        )
        self.marked_for_deletion = self._counter(
            "tempodb_retention_marked_for_deletion", "Blocks found older than their tenant keeps them", []
        )
        self.deleted = self._counter("tempodb_retention_deleted", "Blocks that went because of their age", [])
        self.retention_errors = self._counter("tempodb_retention_errors", "Failures to let blocks go", [])
        self._tenants: set[str] = set()

    def planned(self, jobs: Sequence[Job]) -> None:
        """All that could be compacted now."""
        blocks = Tally(job.tenant for job in jobs for _ in job.inputs)
        self._tenants |= blocks.keys()
        for tenant in self._tenants:
            self._outstanding.labels(tenant).set(blocks[tenant])

    def compacted(self, job: Job, unit: UnitInfo) -> None:
        """A compaction took effect."""
        level = str(job.level - 1)
        self._compactions.inc()
        self._blocks.labels(level).inc(len(job.inputs))
        self._bytes.labels(level).inc(unit.bytes)
        self._traces.labels(level).inc(unit.traces)
        self._combined.labels(level).inc(sum(one.traces for one in job.inputs) - unit.traces)
        self._deduped.labels(job.tenant).inc(sum(one.spans for one in job.inputs) - unit.spans)

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return Counter(name, text, labels, registry=self.registry)
