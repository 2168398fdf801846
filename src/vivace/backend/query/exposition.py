"""The querier's own metrics, and the text that GET /metrics answers: those of all processes of the backend."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest

from vivace import __version__


class Metrics:
    """What the querier counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "tempo_request_duration_seconds",
            "Time from receiving a request to having its answer.",
            ["method", "route", "status_code", "ws"],
            registry=self.registry,
            buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25),
        )
        build = Gauge("tempo_build_info", "The version that runs.", ["version", "revision"], registry=self.registry)
        build.labels(__version__, "vivace").set(1)

    def observe(self, method: str, route: str, status: int | str, seconds: float) -> None:
        """Count one request."""
        self.requests.labels(method, route, str(status), "false").observe(seconds)

    def text(self, folder: Path) -> bytes:
        """The querier's metrics and those that the other processes last wrote to `<folder>/<process>.prom`."""
        others = [path.read_bytes() for path in sorted(folder.glob("*.prom")) if path.is_file()]
        return b"".join([generate_latest(self.registry), *others])
