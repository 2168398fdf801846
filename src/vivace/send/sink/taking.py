"""Takes requests: counts what is in them, or lets befall them what was drawn."""

from __future__ import annotations

from typing import Final

from vivace.send.compress import decompress
from vivace.send.protocol import METHODS, PATHS
from vivace.send.shared import Words
from vivace.send.sink.counts import ITEMS, Counter
from vivace.send.sink.distinct import TraceCounter
from vivace.send.sink.fate import Fate, Fates
from vivace.send.sink.items import NO_TRACES, Content, content_of, json_content_of
from vivace.send.sink.request import TAKEN, Reply, Request
from vivace.send.sink.settings import Counting, SinkSettings
from vivace.send.sink.status import Status, status_of
from vivace.telemetry.template import Signal

SIGNALS: Final = {name: signal for names in (METHODS, PATHS) for signal, name in names.items()}
UNKNOWN_METHOD: Final = Status(12, 404)
UNKNOWN_MEDIA: Final = Status(12, 415)
MALFORMED: Final = status_of("INVALID_ARGUMENT")
THROTTLED: Final = status_of("RESOURCE_EXHAUSTED")
NOT_READ: Final = Content(0, NO_TRACES)


class Taking:
    """One process' part of a sink."""

    def __init__(self, settings: SinkSettings, process: int, counts: Words, traces: TraceCounter | None) -> None:
        self.delay_s = settings.faults.delay_s
        self._faults = settings.faults
        self._counting = settings.counting
        self._fates = Fates(settings.faults, process)
        self._counts = counts
        self._traces = traces

    @property
    def keeps_bodies(self) -> bool:
        """Whether the messages are read."""
        return self._counting is not Counting.REQUESTS

    def take(self, request: Request) -> tuple[Fate, Reply, bool]:
        """What befalls a request, what is answered if anything, and whether later."""
        signal = SIGNALS.get(request.path)
        if signal is None or request.refusal:
            self._counts[Counter.MALFORMED] += 1
            words = request.refusal or f"no such method: {request.path}"
            return Fate.REFUSED, Reply(UNKNOWN_MEDIA if request.refusal else UNKNOWN_METHOD, words), False
        try:
            content = self._read(request, signal)
        except ValueError as error:
            self._counts[Counter.MALFORMED] += 1
            return Fate.REFUSED, Reply(MALFORMED, str(error)), False
        fate, delayed = self._fates.draw()
        self._counts[Counter.DELAYED] += delayed
        return fate, self._meet(fate, request, signal, content), delayed

    def _read(self, request: Request, signal: Signal) -> Content:
        if self._counting is Counting.REQUESTS:
            return NOT_READ
        body = decompress(request.body, request.encoding) if request.encoding else request.body
        read = json_content_of if request.json else content_of
        return read(body, signal, self._counting is Counting.TRACES)

    def _meet(self, fate: Fate, request: Request, signal: Signal, content: Content) -> Reply:
        match fate:
            case Fate.TAKEN:
                self._count(request, signal, content, 0)
                return TAKEN
            case Fate.PARTIAL:
                rejected = self._faults.partial_items
                if self._counting is not Counting.REQUESTS:
                    rejected = min(rejected, content.items)
                self._count(request, signal, content, rejected)
                return Reply(words="some items are refused on purpose", rejected=rejected, signal=signal)
            case Fate.REFUSED:
                self._counts[Counter.REFUSED] += 1
                return Reply(self._faults.status, "refused on purpose")
            case Fate.THROTTLED:
                self._counts[Counter.THROTTLED] += 1
                return Reply(THROTTLED, "too much at once, on purpose", self._faults.retry_after_s)
        self._counts[Counter.DROPPED if fate is Fate.DROPPED else Counter.HUNG] += 1
        return TAKEN

    def _count(self, request: Request, signal: Signal, content: Content, rejected: int) -> None:
        counts = self._counts
        counts[Counter.REQUESTS] += 1
        counts[Counter.BYTES] += request.size
        if rejected:
            counts[Counter.PARTIAL] += 1
            counts[Counter.REJECTED] += rejected
        counts[ITEMS[signal]] += max(0, content.items - rejected)
        if self._traces is not None:
            self._traces.add(content.traces)
