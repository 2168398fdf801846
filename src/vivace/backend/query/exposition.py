"""The querier's own metrics, and the text that GET /metrics answers: those of all processes of the backend."""

from __future__ import annotations

from asyncio import CancelledError
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from vivace import __version__
from vivace.backend.query.workers import Abandoned, Overloaded

TENANTS: Final = 200
"""So many tenants are counted by name."""
OTHERS: Final = "others"


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
        self.queries = Counter(
            "tempo_query_frontend_queries",
            "Queries by tenant, by what was asked for, and by how they ended.",
            ["tenant", "op", "result"],
            registry=self.registry,
        )
        self.waited = Histogram(
            "tempo_query_frontend_queue_duration_seconds",
            "Time that a query waited for a thread, when none was free.",
            registry=self.registry,
        )
        self.refused = Counter(
            "tempo_query_frontend_discarded_requests",
            "Queries that were refused because too many wait, or too many of the tenant.",
            ["user"],
            registry=self.registry,
        )
        self.queue = Gauge(
            "tempo_query_frontend_queue_length", "Queries that wait for a thread.", registry=self.registry
        )
        self.unreadable = Gauge(
            "vivace_units_unreadable",
            "Units that could not be read; queries are answered without them.",
            registry=self.registry,
        )
        self._tenants: set[str] = set()
        build = Gauge("tempo_build_info", "The version that runs.", ["version", "revision"], registry=self.registry)
        build.labels(__version__, "vivace").set(1)

    def observe(self, method: str, route: str, status: int | str, seconds: float) -> None:
        """Count one request."""
        self.requests.labels(method, route, str(status), "false").observe(seconds)

    @contextmanager
    def counted(self, tenant: str, operation: str) -> Iterator[None]:
        """Counts the query that is answered within, by how it ends."""
        known, result = self._bounded(tenant), "completed"
        try:
            yield
        except (Abandoned, CancelledError, GeneratorExit):
            result = "canceled"
            raise
        except Overloaded:
            self.refused.labels(known).inc()
            raise
        finally:
            self.queries.labels(known, operation, result).inc()

    def _bounded(self, tenant: str) -> str:
        """The first tenants by name, the others together."""
        if tenant not in self._tenants and len(self._tenants) >= TENANTS:
            return OTHERS
        self._tenants.add(tenant)
        return tenant

    def text(self, folder: Path) -> bytes:
        """The querier's metrics and those that the other processes last wrote to `<folder>/<process>.prom`."""
        others = [path.read_text() for path in sorted(folder.glob("*.prom")) if path.is_file()]
        return together([generate_latest(self.registry).decode(), *others]).encode()


def together(texts: Iterable[str]) -> str:
    """Texts of several processes as one, in which a metric that several have is described once."""
    described: dict[str, dict[str, str]] = defaultdict(dict)
    samples: dict[str, list[str]] = defaultdict(list)
    for text in texts:
        name = ""
        for line in text.splitlines():
            if line.startswith(("# HELP ", "# TYPE ")):
                _, kind, name, *_ = line.split(" ", 3)
                described[name].setdefault(kind, line)
            elif line:
                samples[name].append(line)
    lines = [line for name, held in samples.items() for line in (*described[name].values(), *held)]
    return "".join(f"{line}\n" for line in lines)
