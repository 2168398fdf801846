"""Prometheus metrics of a query load while it runs, under names that carry the load's namespace and its queries'."""

from __future__ import annotations

import re
from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from vivace.errors import ConfigurationError
from vivace.query.answer import Answer
from vivace.query.kind import Kind

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SPANS: Final = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)


def metric_name(*parts: str) -> str:
    """The parts with underscores between them and in the place of what no metric's name may have."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", "_".join(part for part in parts if part))


class FailureCounts(Collector):
    """query_failures_count_<namespace>_<query>_<status code>: a counter for each, which comes into being with the
    first failure. The client library would add a suffix to the names, so they are given as they are."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._counts: Tally[str] = Tally()

    def add(self, query: str, status: str) -> None:
        """One more."""
        self._counts[metric_name("query_failures_count", self._namespace, query, status)] += 1

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        for name, count in sorted(self._counts.items()):
            metric = Metric(name, "Queries that failed with this status.", "unknown")
            metric.add_sample(name, {}, count)
            yield metric


class Exposition:
    """The metrics of one load, in a registry of their own."""

    def __init__(self, namespace: str, queries: Iterable[str]) -> None:
        self.registry = CollectorRegistry()
        names = list(queries)
        self._latency = {
            name: self._histogram(("query_load_test", namespace, name), "Query latency in seconds.", SECONDS)
            for name in names
        }
        self._spans = {
            name: self._histogram(
                ("query_load_test_spans_returned", namespace, name), "Spans that came with an answer.", SPANS
            )
            for name in names
        }
        self._failures = FailureCounts(namespace)
        self.registry.register(self._failures)
        self._bucket_queries = Counter(
            "query_load_test_time_bucket_queries", "Queries per time bucket.", ["bucket_name"], registry=self.registry
        )
        self._bucket_duration = Histogram(
            "query_load_test_time_bucket_duration_seconds",
            "Query latency per time bucket.",
            ["bucket_name"],
            registry=self.registry,
            buckets=SECONDS,
        )
        self._fetch_latency = Histogram(
            "query_load_test_trace_fetch_latency_seconds",
            "Latency of opened traces.",
            ["query_name"],
            registry=self.registry,
            buckets=SECONDS,
        )
        self._fetch_failures = Counter(
            "query_load_test_trace_fetch_failures",
            "Traces that could not be opened.",
            ["query_name", "status_code"],
            registry=self.registry,
        )

    def observe(self, name: str, kind: Kind, bucket: str | None, started_ns: int, answer: Answer) -> None:
        """A request has ended."""
        seconds = (answer.ended_ns - started_ns) / 1e9
        status = status_code(answer)
        if kind is Kind.FETCH:
            self._fetch_latency.labels(name).observe(seconds)
            if answer.found is None:
                self._fetch_failures.labels(name, status).inc()
            return
        self._latency[name].observe(seconds)
        if bucket is not None:
            self._bucket_queries.labels(bucket).inc()
            self._bucket_duration.labels(bucket).observe(seconds)
        if answer.found is None:
            self._failures.add(name, status)
        elif answer.found.spans is not None:
            self._spans[name].observe(answer.found.spans)

    def serve(self, port: int) -> int:
        """Serves them at /metrics until the process ends, and gives the port; OSError when it cannot be taken."""
        server, _ = start_http_server(port, registry=self.registry)
        return int(server.server_port)

    def _histogram(self, parts: Sequence[str], words: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(metric_name(*parts), words, registry=self.registry, buckets=buckets)


def status_code(answer: Answer) -> str:
    """The status of a failed request, or in its place the kind of failure."""
    if answer.status is not None and answer.failure is not None and answer.failure.value == "status":
        return str(answer.status)
    return answer.failure.value if answer.failure else str(answer.status)


def colliding(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names that would be the same in a metric's name."""
    seen: dict[str, str] = {}
    pairs = []
    for name in names:
        first = seen.setdefault(metric_name(name), name)
        if first != name:
            pairs.append((first, name))
    return pairs


def check_port(port: int) -> None:
    """ConfigurationError when metrics cannot be served there."""
    from socket import create_server  # noqa: PLC0415 - only where metrics are served

    try:
        create_server(("", port)).close()
    except OSError as error:
        raise ConfigurationError(
            f"--metrics-port {port}: {error.strerror}; choose another port, 0 for a free one, or --no-metrics"
        ) from error
