"""Prometheus metrics of a load while it lasts: every scrape reads the senders' counters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vivace.errors import ConfigurationError
from vivace.send.progress import SendProgress
from vivace.send.stats import Progress

OUTCOMES: Final = ("dropped", "acknowledged", "rejected", "failed", "unknown")


class Counters(Collector):
    """What is served, asked for anew each time."""

    def __init__(self, progress: Callable[[], Progress]) -> None:
        self._progress = progress

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        progress = self._progress()
        items = CounterMetricFamily(
            "vivace_send_items",
            "Spans, data points and log records by what became of them.",
            labels=["signal", "outcome"],
        )
        for signal, counts in progress.items():
            for outcome in OUTCOMES:
                items.add_metric([signal, outcome], getattr(counts, f"{outcome}_spans"))
        yield items
        yield _counter(progress, "requests", "Requests that fell due.", lambda counts: counts.requests)
        yield _counter(progress, "bytes", "Bytes of requests, first attempts.", lambda counts: counts.sent_bytes)
        yield _counter(progress, "errors", "Requests that were not acknowledged.", lambda counts: counts.errors)
        yield _counter(progress, "retries", "Attempts after the first.", lambda counts: counts.retries)
        yield _counter(
            progress, "disordered", "Requests with something wrong on purpose.", lambda counts: counts.disordered
        )
        flying = GaugeMetricFamily("vivace_send_in_flight", "Requests without an answer yet.", labels=["signal"])
        for signal, counts in progress.items():
            flying.add_metric([signal], counts.in_flight)
        yield flying


def _counter(progress: Progress, name: str, words: str, value: Callable[[SendProgress], int]) -> Metric:
    metric = CounterMetricFamily(f"vivace_send_{name}", words, labels=["signal"])
    for signal, counts in progress.items():
        metric.add_metric([signal], value(counts))
    return metric


@contextmanager
def served(progress: Callable[[], Progress], port: int | None) -> Iterator[int | None]:
    """Serves metrics on the port while it is entered, on a free one for 0; gives the port. None: nowhere."""
    if port is None:
        yield None
        return
    registry = CollectorRegistry()
    registry.register(Counters(progress))
    try:
        server, thread = start_http_server(port, registry=registry)
    except OSError as error:
        raise ConfigurationError(
            f"--metrics-port {port}: {error.strerror}; choose another port, or 0 for a free one"
        ) from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
