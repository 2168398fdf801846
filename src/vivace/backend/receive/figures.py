"""What the receiver counts, under Tempo's names where they mean the same."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from vivace.backend.receive.answer import NotTaken
from vivace.backend.store.figures import TENANT

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class ReceiverFigures:
    """The receiver's metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._spans = self._counter("tempo_distributor_spans_received", "Spans acknowledged", ["tenant"])
        self._bytes = self._counter("tempo_distributor_bytes_received", "Bytes of acknowledged requests", ["tenant"])
        self._discarded = self._counter("tempo_discarded_spans", "Spans of refused requests", ["reason", "tenant"])
        self._refused = self._counter("vivace_requests_refused", "Requests refused", ["reason", "transport"])
        self._requests = self._counter("vivace_requests_acknowledged", "Requests acknowledged", ["transport"])
        self._transport = {
            accepted: Gauge(  # Tempo's counters of this name lack the suffix that a Counter would give them
                f"tempo_receiver_{'accepted' if accepted else 'refused'}_spans",
                f"Spans {'acknowledged' if accepted else 'refused'}",
                ["receiver", "transport"],
                registry=self.registry,
            )
            for accepted in (True, False)
        }
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
        self.ahead = Gauge("vivace_wal_ahead_bytes", "Bytes of the log that are not indexed", registry=self.registry)

    def acknowledged(self, transport: str, spans: int, size: int) -> None:
        """A request is on disk."""
        self._spans.labels(TENANT).inc(spans)
        self._bytes.labels(TENANT).inc(size)
        self._requests.labels(transport).inc()
        self._transport[True].labels(f"otlp/{transport}", transport).inc(spans)

    def not_taken(self, transport: str, refusal: NotTaken) -> None:
        """A request was refused."""
        self._refused.labels(refusal.cause.reason, transport).inc()
        self._discarded.labels(refusal.cause.reason, TENANT).inc(refusal.spans)
        self._transport[False].labels(f"otlp/{transport}", transport).inc(refusal.spans)

    def logged(self, size: int, seconds: float) -> None:
        """A group of requests is on disk."""
        self._log_bytes.inc(size)
        self._commits.observe(seconds)

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return Counter(name, text, labels, registry=self.registry)
