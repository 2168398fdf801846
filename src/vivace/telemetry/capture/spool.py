"""Brings the spans of a trace together, wherever in the capture they stand, in bounded memory.

Spans wait in memory. When they need more than they may, all go to disk, to one of 64 files by their trace's ID, each of
which is read by itself later on: captures of up to 64 times the memory allowed are gathered within it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple, TypeAlias
from zlib import crc32

from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from vivace.telemetry.capture.contexts import Contexts
from vivace.telemetry.capture.counts import Counts
from vivace.telemetry.capture.identifiers import SPAN_BYTES, TRACE_BYTES, is_id

FILES: Final = 64
RECORD: Final = Struct("<16sIQI")
"""Trace ID, context, earliest time, bytes of the span that follow."""
OVERHEAD_BYTES: Final = 200
"""What a waiting span needs in memory beside its bytes."""
LATEST: Final = (1 << 63) - 1
"""Later times, in the year 2262 and beyond, count as unknown."""


class Waiting(NamedTuple):
    """A span that waits for the others of its trace."""

    context: int
    """Number of its resource and scope."""
    earliest: int
    """Its start or end in nanoseconds, whichever is earlier; 0 when neither is known."""
    data: bytes
    """The span as OTLP."""


Gathered: TypeAlias = dict[bytes, list[Waiting]]
"""Spans by trace ID."""


class Trace(NamedTuple):
    """All spans of a trace, in the order of the capture."""

    earliest: int
    """The earliest start or end in nanoseconds; 0 when none is known."""
    id: bytes
    spans: list[Waiting]


class Spool:
    """Takes messages in any order; gives whole traces, in parts that fit into memory."""

    def __init__(self, folder: Path, memory_bytes: int, counts: Counts) -> None:
        self.contexts = Contexts()
        self._folder = folder
        self._memory_bytes = memory_bytes
        self._counts = counts
        self._waiting: Gathered = {}
        self._waiting_bytes = 0
        self._spilled = False
        self.earliest = 0
        """The earliest time of all spans; 0 when none is known."""

    def add(self, message: TracesData) -> None:
        """Takes all spans of a message. Raises OSError when the disk is full."""
        for entry in message.resource_spans:
            resource = self.contexts.resource(entry)
            for scope in entry.scope_spans:
                context = self.contexts.scope(resource, scope)
                for span in scope.spans:
                    self._add(context, span)
        if self._waiting_bytes > self._memory_bytes:
            self._spill()

    def parts(self) -> Iterator[list[Trace]]:
        """The traces, each part in the order of their starts; one part when everything fitted into memory."""
        if not self._spilled:
            yield _traces(self._waiting)
            return
        self._spill()
        for number in range(FILES):
            path = self._path(number)
            yield _traces(_read(path))
            path.unlink()

    def _add(self, context: int, span: Span) -> None:
        trace_id = span.trace_id
        if not (is_id(trace_id, TRACE_BYTES) and is_id(span.span_id, SPAN_BYTES)):
            self._counts.spans_without_id += 1
            return
        data = span.SerializeToString()
        times = [known(span.start_time_unix_nano), known(span.end_time_unix_nano)]
        earliest = _earliest(times)
        self.earliest = _earliest([self.earliest, earliest])
        self._waiting.setdefault(trace_id, []).append(Waiting(context, earliest, data))
        self._waiting_bytes += len(data) + OVERHEAD_BYTES

    def _spill(self) -> None:
        with ExitStack() as stack:
            files = [stack.enter_context(self._path(number).open("ab")) for number in range(FILES)]
            for trace_id, spans in self._waiting.items():
                file = files[crc32(trace_id) % FILES]
                for context, earliest, data in spans:
                    file.write(RECORD.pack(trace_id, context, earliest, len(data)))
                    file.write(data)
        self._waiting, self._waiting_bytes, self._spilled = {}, 0, True

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.spans"


def known(time: int) -> int:
    """The time, 0 when it cannot be one."""
    return time if time <= LATEST else 0


def _earliest(times: Iterable[int]) -> int:
    return min(filter(None, times), default=0)


def _traces(gathered: Gathered) -> list[Trace]:
    return sorted(
        Trace(_earliest(span.earliest for span in spans), trace_id, spans) for trace_id, spans in gathered.items()
    )


def _read(path: Path) -> Gathered:
    gathered: Gathered = {}
    with path.open("rb") as file:
        while head := file.read(RECORD.size):
            trace_id, context, earliest, size = RECORD.unpack(head)
            gathered.setdefault(trace_id, []).append(Waiting(context, earliest, file.read(size)))
    return gathered
