"""What the indexer counts, under Tempo's names where they mean the same."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from vivace.backend.store.figures import TENANT
from vivace.backend.store.log import Record
from vivace.backend.store.manifest import Manifest
from vivace.backend.store.plan import Merge
from vivace.backend.store.unit import UnitKind

SECONDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 30, 60)


class IndexerFigures:
    """The indexer's metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._units = Gauge("vivace_units", "Visible units", ["kind"], registry=self.registry)
        self._unit_spans = Gauge("vivace_unit_spans", "Spans in visible units", ["kind"], registry=self.registry)
        self._unit_bytes = Gauge("vivace_unit_bytes", "Bytes of visible units", ["kind"], registry=self.registry)
        self._blocks = Gauge("tempodb_blocklist_length", "Blocks", ["tenant"], registry=self.registry)
        self._spans = Counter("vivace_spans_indexed", "Spans made visible", registry=self.registry)
        self._visible = Histogram(
            "vivace_visible_delay_seconds",
            "From a record's arrival in the log until it is visible",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.ahead = Gauge("vivace_wal_ahead_bytes", "Bytes of the log that are not indexed", registry=self.registry)
        self._merges = Counter("vivace_merges", "Units made of others", ["kind", "reason"], registry=self.registry)
        self.damaged = Counter("vivace_wal_damaged_bytes", "Bytes of the log without a record", registry=self.registry)
        self.undecodable = Counter("vivace_spans_undecodable", "Spans that were left out", registry=self.registry)

    def units(self, manifest: Manifest) -> None:
        """The visible units changed."""
        for kind in UnitKind:
            units = [unit for unit in manifest.units if unit.kind is kind]
            self._units.labels(kind).set(len(units))
            self._unit_spans.labels(kind).set(sum(unit.spans for unit in units))
            self._unit_bytes.labels(kind).set(sum(unit.bytes for unit in units))
            if kind is UnitKind.BLOCK:
                self._blocks.labels(TENANT).set(len(units))

    def published(self, records: Sequence[Record], now_ns: int) -> None:
        """Records became visible."""
        for record in records:
            self._spans.inc(record.batch.spans)
            self._visible.observe((now_ns - record.received_ns) / 1e9)

    def merged(self, job: Merge) -> None:
        """Units became one."""
        self._merges.labels(job.kind, job.reason).inc()
