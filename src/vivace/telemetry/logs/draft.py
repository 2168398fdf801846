"""A batch of log records before they have words: of which type and severity each is, what it tells about, and when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from vivace.telemetry.arrays import Flags, Numbers
from vivace.telemetry.correlation import SampledSpans
from vivace.telemetry.logs.settings import LogsSettings

DELAY_NS: Final = 40_000_000
"""Records are observed within this time after they were written."""


class LogType(IntEnum):
    """What kind of log a record is in."""

    ACCESS = 0
    APPLICATION = 1
    SYSTEM = 2


class Severity(IntEnum):
    """How bad it is."""

    DEBUG = 0
    INFO = 1
    WARN = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class Draft:
    """Row n of every array is about record n; requests follow one after the other."""

    request: Numbers
    """Number in the template."""
    type: npt.NDArray[np.int8]
    severity: npt.NDArray[np.int8]
    span: Numbers
    """Row of the span that it tells about; -1 for records of the system."""
    correlated: Flags
    """Whether it has the IDs of that span."""
    time: Numbers
    """Template time."""
    observed: Numbers

    def __len__(self) -> int:
        return self.request.size

    def rows(self, kind: LogType) -> Numbers:
        """The records of one type."""
        return np.flatnonzero(self.type == kind)


@dataclass(frozen=True, slots=True)
class Pool:
    """Spans that a batch can tell about."""

    spans: SampledSpans
    first: Numbers
    """By request of the batch: the first request of the traces that it tells about."""
    stop: Numbers
    """By request of the batch: the end of those."""
    status: Numbers
    """HTTP status of each span that answered an HTTP request, else 0."""

    def rows(self, among: Numbers, request: Numbers, random: np.random.Generator) -> Numbers:
        """A row of `among` for each record: evenly spread over its request's spans, none twice while there are more.

        `request` is that of each record, counted from the batch's first, in ascending order.
        """
        owner = self.spans.request[among]
        low, high = np.searchsorted(owner, self.first)[request], np.searchsorted(owner, self.stop)[request]
        wanted = np.bincount(request, minlength=self.first.size)[request]
        rank = np.arange(request.size) - np.searchsorted(request, request)
        place = low + ((rank + random.random(request.size)) * (high - low) / wanted).astype(np.int64)
        return among[np.minimum(place, among.size - 1)]


def draft(
    requests: Numbers, types: npt.NDArray[np.int8], pool: Pool, settings: LogsSettings, random: np.random.Generator
) -> Draft:
    """A batch; `requests` and `types` are by record."""
    count = requests.size
    relative = requests - requests[0]
    spans = pool.spans
    severity, span = np.zeros(count, np.int8), np.full(count, -1)
    access, application, system = (np.flatnonzero(types == kind) for kind in LogType)
    answered = np.flatnonzero(pool.status)
    span[access] = pool.rows(answered if answered.size else np.arange(len(spans)), relative[access], random)
    severity[access] = _of_status(pool.status[span[access]])
    severity[application] = _severities(settings.types.application.severities.shares, application.size, random)
    told = pool.rows(np.arange(len(spans)), relative[application], random)
    span[application] = _failures_to_errors(
        told, spans.failed[told] + random.random(told.size) / 2, severity[application], relative[application]
    )
    severity[system] = _severities(settings.types.system.severities.shares, system.size, random)
    time = _times(spans, span, types == LogType.ACCESS, random)
    return Draft(
        request=requests,
        type=types,
        severity=severity,
        span=span,
        correlated=(span >= 0) & (random.random(count) * 100 < settings.correlated),
        time=time,
        observed=time + random.integers(1, DELAY_NS, count),
    )


def types_of(first: int, stop: int, shares: tuple[float, ...], random: np.random.Generator) -> npt.NDArray[np.int8]:
    """The types of the records `first` to `stop` - 1: over all records exactly these percentages, but for rounding."""
    edges = np.cumsum([0, *shares]) / 100
    counts = np.diff(np.rint(stop * edges)) - np.diff(np.rint(first * edges))
    return random.permutation(np.repeat(np.arange(len(shares), dtype=np.int8), counts.astype(np.int64)))


def _severities(shares: tuple[float, ...], count: int, random: np.random.Generator) -> npt.NDArray[np.int8]:
    return random.choice(len(shares), count, p=np.array(shares) / sum(shares)).astype(np.int8)


def _of_status(status: Numbers) -> npt.NDArray[np.int8]:
    return np.select([status >= 500, status >= 400], [Severity.ERROR, Severity.WARN], Severity.INFO).astype(np.int8)


def _failures_to_errors(
    span: Numbers, badness: npt.NDArray[np.float64], severity: npt.NDArray[np.int8], request: Numbers
) -> Numbers:
    """In each request, gives its worst records the worst spans."""
    fitting = np.empty_like(span)
    fitting[np.lexsort((severity, request))] = span[np.lexsort((badness, request))]
    return fitting


def _times(spans: SampledSpans, span: Numbers, at_end: Flags, random: np.random.Generator) -> Numbers:
    """Access logs are written when the answer is out, others at any time; those of the system belong to no span."""
    share = np.where(at_end, 1.0, random.random(span.size))
    start, end = spans.start[span], spans.end[span]
    within = start + ((end - start) * share).astype(np.int64)
    anytime = random.integers(int(spans.start.min()), int(spans.end.max()) + 1, span.size)
    return np.where(span < 0, anytime, within)
