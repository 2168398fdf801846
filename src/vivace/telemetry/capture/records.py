"""Metrics and log records -> a template, as they come; each request's times count from 1 s."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, TypeAlias

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, MetricsData

from vivace.telemetry.capture.contexts import Contexts, Entry, Scope
from vivace.telemetry.capture.counts import Counts
from vivace.telemetry.capture.moments import moments, rewrite
from vivace.telemetry.capture.settings import CaptureSettings

Item: TypeAlias = Metric | LogRecord


class Records:
    """Writes a template of one signal; no more than one request's items wait in memory."""

    def __init__(self, file: BinaryIO, settings: CaptureSettings, counts: Counts) -> None:
        self._file = file
        self._settings = settings
        self._counts = counts
        self._contexts = Contexts()
        self._waiting: list[tuple[int, Item]] = []
        self._waiting_bytes = 0
        self.requests = 0

    def add(self, message: MetricsData | LogsData) -> None:
        """Takes all items of a message. Raises OSError when they cannot be written."""
        for entry, scope, items in _parts(message):
            context = self._contexts.scope(self._contexts.resource(entry), scope)
            for item in items:
                self._add(context, item)

    def flush(self) -> None:
        """Writes what waits as a request. Raises OSError."""
        if not self._waiting:
            return
        found = [moment for _, item in self._waiting for moment in moments(item)]
        rewrite(self.requests, found)
        self._counts.data_points += sum(moment.is_data_point for moment in found)
        self._counts.log_records += sum(isinstance(item, LogRecord) for _, item in self._waiting)
        items: dict[int, list[bytes]] = {}
        for context, item in self._waiting:
            items.setdefault(context, []).append(item.SerializeToString())
        self._file.write(self._contexts.request(items))
        self._waiting, self._waiting_bytes = [], 0
        self.requests += 1

    def _add(self, context: int, item: Item) -> None:
        size = item.ByteSize()
        if (
            len(self._waiting) == self._settings.spans_per_request
            or self._waiting_bytes + size > self._settings.bytes_per_request
        ):
            self.flush()
        self._waiting.append((context, item))
        self._waiting_bytes += size


def _parts(message: MetricsData | LogsData) -> Iterator[tuple[Entry, Scope, Iterable[Item]]]:
    """Entry, scope and items of each scope's part of the message."""
    if isinstance(message, MetricsData):
        for entry in message.resource_metrics:
            for scope in entry.scope_metrics:
                yield entry, scope, scope.metrics
    else:
        for logs in message.resource_logs:
            for part in logs.scope_logs:
                yield logs, part, part.log_records
