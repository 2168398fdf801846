"""What the receiver counts, under Tempo's names where they mean the same."""

from __future__ import annotations

from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from vivace.backend.receive.answer import NotTaken, Taken

TRANSPORTS = ("grpc", "http")
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
MOST_TENANTS: Final = 1000
"""So many have figures of their own: whoever sends may make up names."""
OTHER_TENANTS: Final = "(other)"


class _TenantFigures(NamedTuple):
    """Looked up once, because they change with every request."""

    ingress: Counter
    spans: Counter
    bytes: Counter


class ReceiverFigures:
    """The receiver's metrics. Safe for use by several threads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._tenants: dict[str, _TenantFigures] = {}
        self._ingress = self._counter("tempo_distributor_ingress_bytes", "Bytes of requests received", ["tenant"])
        self._spans = self._counter("tempo_distributor_spans_received", "Spans acknowledged", ["tenant"])
        self._bytes = self._counter("tempo_distributor_bytes_received", "Bytes of acknowledged requests", ["tenant"])
        self._discarded = self._counter("tempo_discarded_spans", "Spans refused", ["reason", "tenant"])
        self._cut = self._counter(
            "tempo_distributor_attributes_truncated", "Keys and values of attributes cut", ["tenant", "scope"]
        )
        self._refused = self._counter("vivace_requests_refused", "Requests refused", ["reason", "transport"])
        requests = self._counter("vivace_requests_acknowledged", "Requests acknowledged", ["transport"])
        self._requests = {transport: requests.labels(transport) for transport in TRANSPORTS}
        self._accepted_spans = self._by_transport("tempo_receiver_accepted_spans", "Spans acknowledged")
        self._refused_spans = self._by_transport("tempo_receiver_refused_spans", "Spans refused")
        self._log_bytes = self._counter("vivace_wal_written_bytes", "Bytes written to the log", [])
        self._log_failures = self._counter("vivace_wal_failures", "Groups that could not be written or synced", [])
        self._commits = Histogram(
            "vivace_wal_commit_duration_seconds",
            "Checking, writing and syncing one group of requests",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.push = Histogram(
            "tempo_distributor_push_duration_seconds",
            "From the whole request to its acknowledgement",
            buckets=SECONDS,
            registry=self.registry,
        )

    def arrived(self, tenant: str, size: int) -> None:
        """A request is there, whatever becomes of it."""
        self._of(tenant).ingress.inc(size)

    def acknowledged(self, tenant: str, transport: str, taken: Taken, size: int) -> None:
        """A request is on disk."""
        own = self._of(tenant)
        own.spans.inc(taken.spans)
        own.bytes.inc(size)
        self._requests[transport].inc()
        self._accepted_spans[transport].inc(taken.spans)
        if taken.rejected:
            self._refused_spans[transport].inc(taken.rejected)

    def not_taken(self, tenant: str | None, transport: str, refusal: NotTaken) -> None:
        """A request was refused; nobody knows whose it was when there is no tenant."""
        self._refused.labels(refusal.cause.reason, transport).inc()
        if tenant is not None and refusal.spans:
            self.discarded(tenant, refusal.cause.reason, refusal.spans)
            self._refused_spans[transport].inc(refusal.spans)

    def discarded(self, tenant: str, reason: str, spans: int) -> None:
        """Spans were refused."""
        self._discarded.labels(reason, self._label(tenant)).inc(spans)

    def attributes_cut(self, tenant: str, scope: str, count: int) -> None:
        """Keys and values were cut."""
        self._cut.labels(self._label(tenant), scope).inc(count)

    def logged(self, size: int, seconds: float) -> None:
        """A group of requests is on disk."""
        self._log_bytes.inc(size)
        self._commits.observe(seconds)

    def not_logged(self) -> None:
        """A group of requests could not be written."""
        self._log_failures.inc()

    def _label(self, tenant: str) -> str:
        return tenant if tenant in self._tenants or len(self._tenants) < MOST_TENANTS else OTHER_TENANTS

    def _of(self, tenant: str) -> _TenantFigures:
        label = self._label(tenant)
        found = self._tenants.get(label)
        if found is None:
            labelled = (counter.labels(label) for counter in (self._ingress, self._spans, self._bytes))
            found = self._tenants[label] = _TenantFigures(*labelled)
        return found

    def _by_transport(self, name: str, text: str) -> dict[str, Gauge]:
        """Tempo's counters of these names lack the suffix that a Counter would give them."""
        gauge = Gauge(name, text, ["receiver", "transport"], registry=self.registry)
        return {transport: gauge.labels(f"otlp/{transport}", transport) for transport in TRANSPORTS}

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return Counter(name, text, labels, registry=self.registry)
