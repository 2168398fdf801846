"""The contents of a replay: of a template, or of telemetry that is generated part by part while it is sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import Final, NamedTuple

from vivace.send.contents import Contents
from vivace.send.cut import cut, open_cut
from vivace.send.disorder import Kind
from vivace.send.request import Content
from vivace.send.settings import SendSettings, Stream
from vivace.telemetry.template import Template

AHEAD: Final = 2
"""Parts that are made before they are needed."""
KEPT: Final = 64
"""Parts that can be made into requests again."""
WAIT_SECONDS: Final = 0.2


def open_contents(settings: SendSettings) -> Contents:
    """What a worker sends. TemplateError as Template.open."""
    if settings.stream is not None:
        return StreamContents(settings, settings.stream)
    template = open_cut(settings.template, settings.batching)
    return Contents(template, settings.seed, settings.disorder, settings.times)


class Part(NamedTuple):
    """A part of a stream."""

    first: int
    """The number that its first request has in the stream."""
    base: int
    """And in the part itself: so every part's IDs are its own."""
    size: int
    contents: Contents


class StreamContents(Contents):
    """Requests are numbered over all parts; those of the last KEPT parts can be made."""

    def __init__(self, settings: SendSettings, stream: Stream) -> None:
        self.signal = stream.signal
        self._settings = settings
        self._made = _made_ahead(settings, stream)
        self._parts: deque[Part] = deque(maxlen=KEPT)

    def kind(self, number: int) -> Kind | None:
        part = self._part(number)
        return None if part is None else part.contents.kind(self._own(part, number))

    def requests(self, replays: int | None) -> int | None:  # noqa: ARG002 - nobody knows before the end
        return None

    def there(self, number: int) -> bool:
        return self._part(number) is not None

    def describe(self, number: int) -> Content:
        part = self._needed(number)
        return part.contents.describe(self._own(part, number))._replace(number=number)

    def t0_ns(self, number: int, now_ns: int) -> int:
        part = self._needed(number)
        return part.contents.t0_ns(self._own(part, number), now_ns)

    def payload(self, number: int, t0_ns: int) -> bytes:
        part = self._needed(number)
        return part.contents.payload(self._own(part, number), t0_ns)

    @staticmethod
    def _own(part: Part, number: int) -> int:
        return part.base + number - part.first

    def _needed(self, number: int) -> Part:
        part = self._part(number)
        if part is None:
            raise IndexError(f"request {number} is not in the stream any more")
        return part

    def _part(self, number: int) -> Part | None:
        """The part of a request; None after the end."""
        while not self._parts or number >= self._parts[-1].first + self._parts[-1].size:
            template = next(self._made, None)
            if template is None:
                return None
            self._append(template)
        return next((part for part in reversed(self._parts) if part.first <= number), None)

    def _append(self, template: Template) -> None:
        settings, size = self._settings, len(template)
        first = self._parts[-1].first + self._parts[-1].size if self._parts else 0
        number = self._parts[-1].base // self._parts[-1].size + 1 if self._parts else 0
        contents = Contents(template, settings.seed, settings.disorder, settings.times)
        self._parts.append(Part(first, number * size, size, contents))


def _made_ahead(settings: SendSettings, stream: Stream) -> Iterator[Template]:
    """The parts of a stream, cut as wanted, of which some are made before they are asked for."""
    from vivace.telemetry.stream import stream_templates  # noqa: PLC0415 - most senders generate nothing

    queue: Queue[Template | BaseException | None] = Queue(AHEAD)
    over = Event()

    def make() -> None:
        try:
            for part in stream_templates(stream.configuration, stream.signal, endless=stream.endless):
                if not _put(queue, part if settings.batching is None else cut(part, settings.batching), over):
                    return
            _put(queue, None, over)
        except Exception as error:  # raised again where the part was needed
            _put(queue, error, over)

    Thread(target=make, name="vivace-generate", daemon=True).start()
    try:
        while (made := queue.get()) is not None:
            if isinstance(made, BaseException):
                raise made
            yield made
    finally:
        over.set()


def _put(queue: Queue[Template | BaseException | None], made: Template | BaseException | None, over: Event) -> bool:
    """Puts it as soon as there is room; False when nobody wants it any more."""
    while not over.is_set():
        try:
            queue.put(made, timeout=WAIT_SECONDS)
        except Full:
            continue
        return True
    return False
