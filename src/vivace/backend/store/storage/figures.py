"""What a process counts of its dealings with an object store, under Tempo's names where they mean the same."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60)


class StorageFigures:
    """Metrics of one process, which it names: several processes of a server have the same ones."""

    def __init__(self, registry: CollectorRegistry, process: str) -> None:
        requests = Histogram(
            "tempodb_backend_request_duration_seconds",
            "Time that requests to the object store took, repeated tries included",
            ["operation", "status_code", "process"],
            buckets=SECONDS,
            registry=registry,
        )
        moved = Counter("vivace_storage_bytes", "Bytes of blocks moved", ["direction", "process"], registry=registry)
        copies = Counter("vivace_storage_copies", "Local copies of blocks", ["event", "process"], registry=registry)
        held = Gauge("vivace_storage_copies_bytes", "Bytes of local copies of blocks", ["process"], registry=registry)
        backlog = Gauge("vivace_storage_backlog_blocks", "Blocks still to be put", ["process"], registry=registry)
        self._process = process
        self._requests = requests
        self._moved = moved
        self._copies = copies
        self._held = held
        self._backlog = backlog

    def request(self, operation: str, status: str, seconds: float) -> None:
        """A request to the object store was answered, or given up."""
        self._requests.labels(operation, status, self._process).observe(seconds)

    def moved(self, direction: str, size: int) -> None:
        """Bytes of blocks went "up" or "down"."""
        self._moved.labels(direction, self._process).inc(size)

    def copy(self, event: str) -> None:
        """A local copy was "found", "fetched", "damaged", "evicted", or could not be evicted: "kept"."""
        self._copies.labels(event, self._process).inc()

    def held(self, size: int) -> None:
        """So much do local copies hold."""
        self._held.labels(self._process).set(size)

    def backlog(self, blocks: int) -> None:
        """So many blocks are still to be put that the data folder had before."""
        self._backlog.labels(self._process).set(blocks)
