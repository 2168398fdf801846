"""A template on disk, opened for replay: OTLP bytes, and where in them the IDs and the times are."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from vivace.telemetry.arrays import Bytes, Numbers, Words

EPOCH_NS: Final = 1_000_000_000
"""Where a template's time starts: 1 s, since a time of zero would be left out of the message."""


class Signal(StrEnum):
    """A kind of telemetry."""

    TRACES = "traces"
    METRICS = "metrics"
    LOGS = "logs"


@dataclass(frozen=True, slots=True)
class Requests:
    """What a template is replayed as; row j of every array is about its request j."""

    start: Numbers
    """First byte in the template."""
    stop: Numbers
    items: npt.NDArray[np.int32]
    """Spans, data points or log records."""
    traces: npt.NDArray[np.int32]
    group: npt.NDArray[np.int32]
    """Requests of one group share traces. Of metrics and logs: the first of Template.groups, -1 without any."""
    words: npt.NDArray[np.int32]
    """Random words of all groups that the request draws from."""
    span_ns: Numbers
    """From the earliest start to the latest end."""

    def __len__(self) -> int:
        return self.start.size


@dataclass(frozen=True, slots=True)
class Values:
    """Text that is new in every request, in words of 8 bytes that are overwritten with the fresh word of their slot."""

    offset: npt.NDArray[np.int32]
    """From the start of their request."""
    slot: npt.NDArray[np.int32]
    bounds: Numbers
    """Request j owns the rows bounds[j] to bounds[j+1]."""
    words: npt.NDArray[np.int32]
    """By request: the fresh words of its group."""


@dataclass(frozen=True, slots=True)
class RequestPatch:
    """One request of a template: views of its bytes and of what is overwritten, offsets from the request's start."""

    payload: Bytes
    id_offset: npt.NDArray[np.int32]
    id_slot: npt.NDArray[np.int32]
    time_offset: npt.NDArray[np.int32]
    time_value: Words
    value_offset: npt.NDArray[np.int32]
    value_slot: npt.NDArray[np.int32]


NO_PLACES: Final = np.zeros(0, np.int32)


@dataclass(frozen=True, slots=True)
class Template:
    """A template; its arrays may be memory-mapped and are read-only."""

    signal: Signal
    payload: Bytes
    requests: Requests
    id_offset: npt.NDArray[np.int32]
    """Words to overwrite with the random word of their slot; from the start of their request."""
    id_slot: npt.NDArray[np.int32]
    id_bounds: Numbers
    """Request j owns the rows id_bounds[j] to id_bounds[j+1]."""
    groups: npt.NDArray[np.int32]
    """Whose random words a request draws, one group's after the other; slots count through them.

    A request of traces has one group. Metrics and logs draw the words of the trace requests that they refer to: the
    same seed, the same replay and the same group give the same IDs.
    """
    group_words: npt.NDArray[np.int32]
    """How many of each of the groups."""
    group_bounds: Numbers
    """Request j owns the rows group_bounds[j] to group_bounds[j+1]."""
    time_offset: npt.NDArray[np.int32]
    time_value: Words
    """Nanoseconds, of which EPOCH_NS is the request's earliest start."""
    time_bounds: Numbers
    values: Values | None = None
    """None: every request has the same text."""

    def __len__(self) -> int:
        return len(self.requests)

    @classmethod
    def open(cls, path: Path) -> Template:
        """Maps the .pb file and its index, which is built anew when it is missing or older than the .pb file.

        Raises TemplateError, naming the file, when it cannot be read, is truncated or is not OTLP.
        """
        from vivace.telemetry.index import open_template  # noqa: PLC0415 - the index is made of templates

        return open_template(path)

    def request(self, number: int) -> RequestPatch:
        """The template's request `number`, 0 to len - 1."""
        ids = slice(self.id_bounds[number], self.id_bounds[number + 1])
        times = slice(self.time_bounds[number], self.time_bounds[number + 1])
        return RequestPatch(
            self.payload[self.requests.start[number] : self.requests.stop[number]],
            self.id_offset[ids],
            self.id_slot[ids],
            self.time_offset[times],
            self.time_value[times],
            *self._fresh_places(number),
        )

    def _fresh_places(self, number: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        if self.values is None:
            return NO_PLACES, NO_PLACES
        rows = slice(self.values.bounds[number], self.values.bounds[number + 1])
        return self.values.offset[rows], self.values.slot[rows]

    @property
    def bytes_in_memory(self) -> int:
        """What a sender keeps in memory for it."""
        own = [
            getattr(self, field.name) for field in fields(self) if field.name not in {"signal", "requests", "values"}
        ]
        inner = [getattr(part, field.name) for part in (self.requests, self.values) if part for field in fields(part)]
        return int(sum(array.nbytes for array in own + inner))
