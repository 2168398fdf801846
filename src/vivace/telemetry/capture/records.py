"""Metrics or log records -> a template, in their order; its times count from 1 s, with the spacing they had.

They wait on disk until the traces have been written, since only then the IDs of the spans that they refer to are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Final, TypeAlias

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, MetricsData

from vivace.telemetry.capture.contexts import Contexts, Entry, Scope
from vivace.telemetry.capture.counts import Counts
from vivace.telemetry.capture.mentions import Mentions
from vivace.telemetry.capture.moments import Moment, moments, rewrite
from vivace.telemetry.capture.settings import CaptureSettings
from vivace.telemetry.capture.spool import LATEST
from vivace.telemetry.items import REQUEST_ITEMS

Item: TypeAlias = Metric | LogRecord

RECORD: Final = Struct("<II")
"""Context, bytes of the item that follow."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A metric or a log record that waits for its request to be complete."""

    context: int
    item: Item
    moments: list[Moment]
    size: int

    @property
    def count(self) -> int:
        """How many data points it is, or one log record."""
        return 1 if isinstance(self.item, LogRecord) else sum(moment.is_data_point for moment in self.moments)


class Records:
    """Takes the messages of one signal, then gives the requests of a template; one at a time is in memory."""

    def __init__(self, path: Path, item: type[Item], mentions: Mentions) -> None:
        """`path` is where the items wait."""
        self._path = path
        self._file = path.open("wb")
        self._item = item
        self._mentions = mentions
        self._contexts = Contexts()
        self._earliest = LATEST

    def add(self, message: MetricsData | LogsData) -> None:
        """Takes all items of a message. Raises OSError when the disk is full."""
        for entry, scope, items in _parts(message):
            context = self._contexts.scope(self._contexts.resource(entry), scope)
            for item in items:
                self._add(context, item)

    def requests(self, settings: CaptureSettings, counts: Counts) -> Iterator[bytes]:
        """The template's requests; to be asked for once, when the mentions have been learned."""
        self._file.close()
        for number, group in enumerate(self._groups(settings)):
            rewrite(number, [moment for waiting in group for moment in waiting.moments], self._mentions, self._earliest)
            items: dict[int, list[bytes]] = {}
            for waiting in group:
                items.setdefault(waiting.context, []).append(waiting.item.SerializeToString())
                counts.log_records += waiting.count if self._item is LogRecord else 0
                counts.data_points += waiting.count if self._item is Metric else 0
            yield self._contexts.request(items)

    def close(self) -> None:
        """Closes the file in which items wait."""
        self._file.close()

    def _add(self, context: int, item: Item) -> None:
        found = list(moments(item))
        if not found:
            return  # a metric without data, which says nothing
        data = item.SerializeToString()
        self._file.write(RECORD.pack(context, len(data)))
        self._file.write(data)
        for moment in found:
            self._mentions.note(*moment.reference())
            self._earliest = min([self._earliest, *moment.times()])

    def _groups(self, settings: CaptureSettings) -> Iterator[list[Waiting]]:
        """Items by request."""
        most = min(settings.spans_per_request, REQUEST_ITEMS)
        group: list[Waiting] = []
        size = count = 0
        for waiting in self._read():
            if group and (count + waiting.count > most or size + waiting.size > settings.bytes_per_request):
                yield group
                group, size, count = [], 0, 0
            group.append(waiting)
            size, count = size + waiting.size, count + waiting.count
        if group:
            yield group

    def _read(self) -> Iterator[Waiting]:
        with self._path.open("rb") as file:
            while head := file.read(RECORD.size):
                context, size = RECORD.unpack(head)
                item = self._item.FromString(file.read(size))
                yield Waiting(context, item, list(moments(item)), size)


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
