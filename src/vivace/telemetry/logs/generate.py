"""Writes templates of logs: records that tell about the spans of a template of traces, and their index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from vivace.telemetry.correlation import TracePool
from vivace.telemetry.generate import stream_traces
from vivace.telemetry.items import REQUEST_ITEMS, build_items
from vivace.telemetry.logs.access import tell_access
from vivace.telemetry.logs.answers import Answers
from vivace.telemetry.logs.application import tell_application
from vivace.telemetry.logs.assemble import assemble
from vivace.telemetry.logs.columns import Columns
from vivace.telemetry.logs.draft import LogType, Pool, Severity, draft, types_of
from vivace.telemetry.logs.settings import LogsSettings
from vivace.telemetry.logs.sources import Sources
from vivace.telemetry.logs.system import tell_system
from vivace.telemetry.logs.telling import Telling
from vivace.telemetry.publish import gzip_ratio, write_template
from vivace.telemetry.settings import TraceSettings
from vivace.telemetry.template import Signal, Template
from vivace.telemetry.topology import Topology

BATCH_REQUESTS: Final = 50
"""Requests that are made at once: many enough records for NumPy, few enough for memory."""
STREAM: Final = 0x7669_7661_6365_0004
"""Second half of the generator's key: traces, metrics and IDs draw from other streams of the same seed."""
SPANS_PER_RECORD: Final = 0.6
"""So many spans are read for each record that tells about one: services log more than one line while they work."""
UNSEEN_TRACES: Final = 256
"""That logs tell about when there is no template of traces."""


@dataclass(frozen=True, slots=True)
class LogsMetadata:
    """What was generated."""

    template: str
    signal: str
    seed: int
    records: int
    types: dict[str, int]
    """Records by type."""
    severities: dict[str, int]
    """Records by severity."""
    correlated: int
    """Records with the IDs of a span."""
    correlated_with: str | None
    """The template of traces that has those spans; None: nobody sends them."""
    requests: int
    bytes: int
    bytes_per_record: float
    gzip_ratio: float
    """Size of a request as sent, over its size compressed with gzip."""
    sender_memory_bytes: int
    """What each sender maps: the template and its index."""


@dataclass(slots=True)
class Counts:
    """What was made so far."""

    types: np.ndarray[tuple[int], np.dtype[np.int64]]
    severities: np.ndarray[tuple[int], np.dtype[np.int64]]
    correlated: int = 0


class LogSource:
    """Makes logs about the spans of a template of traces; the same seed and traces make the same bytes."""

    def __init__(self, settings: LogsSettings, traces: TracePool, own_ids: bool) -> None:
        """With `own_ids`, records tell about the traces, but have IDs of their own."""
        self.settings = settings
        self.requests = -(-settings.count // REQUEST_ITEMS)
        self.counts = Counts(np.zeros(len(LogType), np.int64), np.zeros(len(Severity), np.int64))
        self._traces = traces
        self._own_ids = own_ids
        self._sources = Sources.of(settings.seed)

    def templates(self) -> Iterator[Template]:
        """The template in parts that follow each other, in memory."""
        for first in range(0, self.requests, BATCH_REQUESTS):
            yield build_items(np.frombuffer(self._batch(first), np.uint8), "generated logs", Signal.LOGS)

    def _batch(self, first: int) -> bytes:
        settings, random = self.settings, self._random(first + 1)
        begin, end = first * REQUEST_ITEMS, min((first + BATCH_REQUESTS) * REQUEST_ITEMS, settings.count)
        types = types_of(begin, end, settings.types.shares, random)
        told = int(np.count_nonzero(types != LogType.SYSTEM))
        pool, answers = self._pool(first, -(-end // REQUEST_ITEMS), told)
        requests = np.arange(begin, end) // REQUEST_ITEMS
        drafted = draft(requests, types, pool, settings, random)
        resources = pool.spans.resource
        writers = self._sources.writers_of(resources.dictionary)
        resource = resources.indices.to_numpy().astype(np.int64)
        columns = Columns(len(drafted))
        columns.resource[:] = resource[drafted.span]
        telling = Telling(drafted, pool.spans, answers, writers[resource], self._sources, columns, random)
        tell_access(telling)
        tell_application(telling, settings.types.application.structured)
        tell_system(telling, len(writers))
        self._count(telling)
        return assemble(telling, pa.concat_arrays([resources.dictionary, self._sources.hosts]), self._own_ids)

    def _pool(self, first: int, stop: int, records: int) -> tuple[Pool, Answers]:
        """What requests `first` to `stop` - 1 can tell about: the spans of their share of the traces."""
        number, traces = np.arange(first, stop), len(self._traces)
        low = number * traces // self.requests
        high = np.maximum(low + 1, (number + 1) * traces // self.requests)
        spans = self._traces.sample(int(low[0]), int(high[-1]), max(1, round(records * SPANS_PER_RECORD)))
        answers = Answers.of(spans)
        return Pool(spans, low, high, answers.status), answers

    def _count(self, telling: Telling) -> None:
        counts, drafted = self.counts, telling.draft
        counts.types += np.bincount(drafted.type, minlength=len(LogType))
        counts.severities += np.bincount(drafted.severity, minlength=len(Severity))
        counts.correlated += int(np.count_nonzero(drafted.correlated))

    def _random(self, counter: int) -> np.random.Generator:
        key, start = np.array([self.settings.seed, STREAM], np.uint64), np.array([0, counter, 0, 0], np.uint64)
        return np.random.Generator(np.random.Philox(key=key, counter=start))


def generate_logs(
    settings: LogsSettings, prefix: Path, topology: Topology | None = None, traces: Path | None = None
) -> LogsMetadata:
    """Writes `<prefix>-logs.pb` and its index; each appears whole or not at all.

    Records tell about the spans of the template `traces`; without one, about traces of the topology (by default the
    built-in shop) that nobody sends. Raises OutputError and TemplateError.
    """
    path = prefix.with_name(f"{prefix.name}-logs.pb")
    if traces is None:
        source = LogSource(settings, _unseen(topology, settings.seed), own_ids=True)
    else:
        source = LogSource(settings, TracePool(Template.open(traces), str(traces)), own_ids=False)
    template = write_template(path, source.templates(), Signal.LOGS)
    return _describe(source, template, path, traces)


def _unseen(topology: Topology | None, seed: int) -> TracePool:
    """Traces to tell about."""
    settings = TraceSettings(topology=topology, seed=seed, traces=UNSEEN_TRACES, traces_per_request=1)
    return TracePool(next(stream_traces(settings)), "traces of logs")


def _describe(source: LogSource, template: Template, path: Path, traces: Path | None) -> LogsMetadata:
    counts, records = source.counts, int(template.requests.items.sum())
    return LogsMetadata(
        template=path.name,
        signal=template.signal.value,
        seed=source.settings.seed,
        records=records,
        types={name: int(counts.types[kind]) for name, kind in zip(source.settings.types.names, LogType, strict=True)},
        severities={level.name: int(counts.severities[level]) for level in Severity},
        correlated=counts.correlated,
        correlated_with=None if traces is None else traces.name,
        requests=len(template),
        bytes=template.payload.size,
        bytes_per_record=round(template.payload.size / records, 1),
        gzip_ratio=round(gzip_ratio(template, source.settings.seed), 2),
        sender_memory_bytes=template.bytes_in_memory,
    )
