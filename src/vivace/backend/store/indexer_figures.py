"""What the indexer counts, under Tempo's names where they mean the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from vivace.backend.store.log import Record
from vivace.backend.store.manifest import Manifest
from vivace.backend.store.plan import Merge
from vivace.backend.store.unit import UnitInfo, UnitKind

SECONDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 30, 60)
MOST_TENANTS: Final = 1000
"""So many tenants have figures of their own, those that came first; the others have them together."""
OTHER_TENANTS: Final = "(other)"


class IndexerFigures:
    """The indexer's metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._units = Gauge("vivace_units", "Visible units", ["kind"], registry=self.registry)
        self._unit_spans = Gauge("vivace_unit_spans", "Spans in visible units", ["kind"], registry=self.registry)
        self._unit_bytes = Gauge("vivace_unit_bytes", "Bytes of visible units", ["kind"], registry=self.registry)
        self._blocks = Gauge("tempodb_blocklist_length", "Blocks", ["tenant"], registry=self.registry)
        self._block_traces = self._by_tenant("tempodb_backend_objects_total", "Traces in blocks")
        self._block_bytes = self._by_tenant("tempodb_backend_bytes_total", "Bytes of blocks")
        self._spans = Counter("vivace_spans_indexed", "Spans made visible", registry=self.registry)
        self._visible = Histogram(
            "vivace_visible_delay_seconds",
            "From a record's arrival in the log until it is visible",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.ahead = Gauge("vivace_wal_ahead_bytes", "Bytes of the log that are not indexed", registry=self.registry)
        self._tenants: frozenset[str] = frozenset()
        self._proposals = Counter(
            "vivace_proposals", "Changes of blocks asked for", ["reason", "outcome"], registry=self.registry
        )
        self._damaged_blocks = Counter("vivace_blocks_damaged", "Blocks that cannot be read", registry=self.registry)
        self._lost = Counter("vivace_spans_lost", "Spans of blocks that cannot be read", registry=self.registry)
        self._merges = Counter("vivace_merges", "Units made of others", ["kind", "reason"], registry=self.registry)
        self._failed_merges = Counter(
            "vivace_merge_errors", "Merges of units that failed", ["kind", "reason"], registry=self.registry
        )
        self.damaged = Counter("vivace_wal_damaged_bytes", "Bytes of the log without a record", registry=self.registry)
        self.undecodable = Counter("vivace_spans_undecodable", "Spans that were left out", registry=self.registry)

    def units(self, manifest: Manifest) -> None:
        """The visible units changed."""
        for kind in UnitKind:
            units = [unit for unit in manifest.units if unit.kind is kind]
            self._units.labels(kind).set(len(units))
            self._unit_spans.labels(kind).set(sum(unit.spans for unit in units))
            self._unit_bytes.labels(kind).set(sum(unit.bytes for unit in units))
        self._blocks_of_tenants([unit for unit in manifest.units if unit.kind is UnitKind.BLOCK])

    def _blocks_of_tenants(self, blocks: Sequence[UnitInfo]) -> None:
        """A tenant that has no blocks any more stays, with none."""
        held = {tenant: [0, 0, 0] for tenant in self._tenants}
        for block in blocks:
            tenant = block.tenant if block.tenant in held or len(held) < MOST_TENANTS else OTHER_TENANTS
            sums = held.setdefault(tenant, [0, 0, 0])
            sums[:] = sums[0] + 1, sums[1] + block.traces, sums[2] + block.bytes
        self._tenants = frozenset(held)
        for tenant, (count, traces, size) in held.items():
            self._blocks.labels(tenant).set(count)
            self._block_traces.labels(tenant, "live").set(traces)
            self._block_bytes.labels(tenant, "live").set(size)

    def published(self, records: Sequence[Record], now_ns: int) -> None:
        """Records became visible."""
        for record in records:
            self._spans.inc(record.batch.spans)
            self._visible.observe((now_ns - record.received_ns) / 1e9)

    def proposed(self, reason: str, outcome: str) -> None:
        """A proposal was taken or refused."""
        self._proposals.labels(reason, outcome).inc()

    def damaged_block(self, lost: int) -> None:
        """A block was found damaged, and so many of its spans could not be saved."""
        self._damaged_blocks.inc()
        self._lost.inc(lost)

    def merged(self, job: Merge) -> None:
        """Units became one."""
        self._merges.labels(job.kind, job.reason).inc()

    def merge_failed(self, job: Merge) -> None:
        """Units could not be made one."""
        self._failed_merges.labels(job.kind, job.reason).inc()

    def _by_tenant(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, ["tenant", "status"], registry=self.registry)
