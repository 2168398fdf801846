"""What is in each request: a pure function of its number and time, so that retries and copies can make it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from vivace.send.disorder import DETAILS, Disorder, Kind, draws
from vivace.send.request import Content
from vivace.telemetry.arrays import Bytes, Numbers
from vivace.telemetry.patch import Patcher
from vivace.telemetry.template import Signal, Template
from vivace.telemetry.wire import ENTRIES, Message, scan

JITTER: Final = 0x7669_7661_6365_0012
"""The draws of times."""
SPANS_ONLY: Final = Message(
    {1: ("resource_spans", Message({2: ("scope_spans", Message({2: ("spans", Message({}))}))}))}
)
SKIPPED_TAG: Final = 15 << 3 | 2
"""An unknown field's: whoever reads the request leaves it out, and no length around it has to change."""
ALTERED: Final = frozenset({Kind.SKEWED, Kind.INCOMPLETE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How the times in requests differ from when they are due."""

    jitter_ms: int = 0
    """At most so much later; of each request, in logs of each record."""
    backdate_ms: int = 0
    """Earlier."""


class Contents:
    """The requests of a replay, each with its IDs, times and disorder. Not for use by several threads at once."""

    def __init__(self, template: Template, seed: int, disorder: Disorder, times: Times) -> None:
        self.signal = template.signal
        self._template = template
        self._seed = seed
        self._disorder = disorder
        self._times = times
        self._patcher = Patcher(template, seed)
        self._size = len(template)
        self._items: list[int] = template.requests.items.tolist()
        self._sizes: list[int] = (template.requests.stop - template.requests.start).tolist()
        self._span_ns: list[int] = template.requests.span_ns.tolist()
        self._traces = template.signal is Signal.TRACES
        self._orderly = not disorder.any
        self._jitters_records = bool(times.jitter_ms) and template.signal is Signal.LOGS

    def kind(self, number: int) -> Kind | None:
        """What is wrong with the request."""
        if self._orderly:
            return None
        kind = self._disorder.kind(self._seed, number)
        return None if kind is Kind.INCOMPLETE and not (self._traces and self._removed(number)) else kind

    def requests(self, replays: int | None) -> int | None:
        """How many there are in so many replays of the template."""
        return None if replays is None else replays * self._size

    def ready(self, _number: int) -> bool:
        """Whether it is known if there is such a request; where it is not, one must ask again."""
        return True

    def there(self, _number: int) -> bool:
        """Whether there is such a request, when that is known."""
        return True

    def describe(self, number: int) -> Content:
        """What is in it, but for the bytes."""
        request = number % self._size
        items = self._items[request]
        if self.kind(number) is Kind.INCOMPLETE:
            items -= self._removed(number)
        return Content(number, request, items, self._sizes[request])

    def t0_ns(self, number: int, now_ns: int) -> int:
        """What its times count from, when what it tells of ends now."""
        t0_ns = now_ns - self._span_ns[number % self._size] - self._times.backdate_ms * 1_000_000
        if self._times.jitter_ms and not self._jitters_records:
            t0_ns += int(draws(self._seed, JITTER, number, 1)[0] * self._times.jitter_ms * 1e6)
        if self.kind(number) is Kind.LATE:
            t0_ns -= round(self._disorder.late_by_s * 1e9)
        return t0_ns

    def payload(self, number: int, t0_ns: int) -> bytes:
        """Its bytes."""
        payload = self._patcher.patch(number, t0_ns)
        kind = self.kind(number)
        if kind not in ALTERED and not self._jitters_records:
            return payload
        altered = np.frombuffer(bytearray(payload), np.uint8)
        if self._jitters_records:
            self._jitter(altered, number)
        if kind is Kind.SKEWED:
            self._skew(altered, number)
        if kind is Kind.INCOMPLETE:
            self._remove(altered, number)
        return altered.tobytes()

    def _removed(self, number: int) -> int:
        """How many spans an incomplete request lacks; 0 where it has but one."""
        items = self._items[number % self._size]
        return min(items - 1, max(1, round(items * self._disorder.missing)))

    def _jitter(self, payload: Bytes, number: int) -> None:
        """Times that are equal and follow each other, as those of one log record do, stay equal."""
        request = self._template.request(number % self._size)
        value = request.time_value
        changes = np.append(0, np.cumsum(value[1:] != value[:-1])) if value.size else np.zeros(0, np.int64)
        amounts = draws(self._seed, JITTER, number, int(changes.max(initial=-1)) + 1) * self._times.jitter_ms * 1e6
        _shift(payload, request.time_offset.astype(np.int64), amounts.astype(np.int64)[changes])

    def _skew(self, payload: Bytes, number: int) -> None:
        entries = scan(payload, ENTRIES, "request")["entries"]
        amounts = (draws(self._seed, DETAILS, number, entries.stop.size) * 2 - 1) * self._disorder.skewed_by_s * 1e9
        places = self._template.request(number % self._size).time_offset.astype(np.int64)
        owners = np.searchsorted(entries.stop, places, side="right")
        _shift(payload, places, amounts.astype(np.int64)[owners])

    def _remove(self, payload: Bytes, number: int) -> None:
        spans = scan(payload, SPANS_ONLY, "request")["spans"]
        chosen = np.argsort(draws(self._seed, DETAILS, number, spans.start.size), kind="stable")
        removed = chosen[: self._removed(number)]
        lengths = (spans.stop - spans.start)[removed]
        digits = np.searchsorted([1 << 7, 1 << 14, 1 << 21, 1 << 28], lengths, side="right") + 1
        payload[spans.start[removed] - digits - 1] = SKIPPED_TAG


def _shift(payload: Bytes, places: Numbers, amounts: Numbers) -> None:
    """Adds nanoseconds to the times at these places; they wrap as unsigned numbers."""
    words = np.ndarray((max(0, payload.size - 7),), np.uint64, payload.data, strides=(1,))
    words[places] += amounts.astype(np.uint64)
