"""What the receiver counts, under Tempo's names where they mean the same."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from vivace.backend.receive.answer import NotTaken
from vivace.backend.store.figures import TENANT

TRANSPORTS = ("grpc", "http")
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class ReceiverFigures:
    """The receiver's metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        spans = self._counter("tempo_distributor_spans_received", "Spans acknowledged", ["tenant"])
        size = self._counter("tempo_distributor_bytes_received", "Bytes of acknowledged requests", ["tenant"])
        self._spans, self._bytes = spans.labels(TENANT), size.labels(TENANT)
        self._discarded = self._counter("tempo_discarded_spans", "Spans of refused requests", ["reason", "tenant"])
        self._refused = self._counter("vivace_requests_refused", "Requests refused", ["reason", "transport"])
        requests = self._counter("vivace_requests_acknowledged", "Requests acknowledged", ["transport"])
        self._requests = {transport: requests.labels(transport) for transport in TRANSPORTS}
        self._accepted_spans = self._by_transport("tempo_receiver_accepted_spans", "Spans acknowledged")
        self._refused_spans = self._by_transport("tempo_receiver_refused_spans", "Spans of refused requests")
        self._log_bytes = self._counter("vivace_wal_written_bytes", "Bytes written to the log", [])
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

    def acknowledged(self, transport: str, spans: int, size: int) -> None:
        """A request is on disk."""
        self._spans.inc(spans)
        self._bytes.inc(size)
        self._requests[transport].inc()
        self._accepted_spans[transport].inc(spans)

    def not_taken(self, transport: str, refusal: NotTaken) -> None:
        """A request was refused."""
        self._refused.labels(refusal.cause.reason, transport).inc()
        self._discarded.labels(refusal.cause.reason, TENANT).inc(refusal.spans)
        self._refused_spans[transport].inc(refusal.spans)

    def logged(self, size: int, seconds: float) -> None:
        """A group of requests is on disk."""
        self._log_bytes.inc(size)
        self._commits.observe(seconds)

    def _by_transport(self, name: str, text: str) -> dict[str, Gauge]:
        """Tempo's counters of these names lack the suffix that a Counter would give them."""
        gauge = Gauge(name, text, ["receiver", "transport"], registry=self.registry)
        return {transport: gauge.labels(f"otlp/{transport}", transport) for transport in TRANSPORTS}

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return Counter(name, text, labels, registry=self.registry)
