"""The contents of a replay: of a template, or of telemetry that is generated part by part while it is sent."""

from __future__ import annotations

from collections import deque
from queue import Empty, Queue
from threading import Thread
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

    def own(self, number: int) -> int:
        """A request's number in the part."""
        return self.base + number - self.first


class StreamContents(Contents):
    """Requests are numbered over all parts; those of the last KEPT parts can be made."""

    def __init__(self, settings: SendSettings, stream: Stream) -> None:
        self.signal = stream.signal
        self._settings = settings
        self._maker = _Maker(settings, stream)
        self._parts: deque[Part] = deque(maxlen=KEPT)

    def ready(self, number: int) -> bool:
        while not self._maker.over and number >= self._next:
            template = self._maker.take()
            if template is None:
                return self._maker.over
            self._append(template)
        return True

    def there(self, number: int) -> bool:
        return number < self._next

    def kind(self, number: int) -> Kind | None:
        part = self._part(number)
        return part.contents.kind(part.own(number))

    def requests(self, replays: int | None) -> int | None:  # noqa: ARG002 - nobody knows before the end
        return None

    def describe(self, number: int) -> Content:
        part = self._part(number)
        return part.contents.describe(part.own(number))._replace(number=number)

    def t0_ns(self, number: int, now_ns: int) -> int:
        part = self._part(number)
        return part.contents.t0_ns(part.own(number), now_ns)

    def payload(self, number: int, t0_ns: int) -> bytes:
        part = self._part(number)
        return part.contents.payload(part.own(number), t0_ns)

    @property
    def _next(self) -> int:
        """The first number that no part has yet."""
        return self._parts[-1].first + self._parts[-1].size if self._parts else 0

    def _part(self, number: int) -> Part:
        for part in reversed(self._parts):
            if part.first <= number < self._next:
                return part
        raise IndexError(f"request {number} is not in the stream, or not any more")

    def _append(self, template: Template) -> None:
        settings, size = self._settings, len(template)
        number = self._parts[-1].base // self._parts[-1].size + 1 if self._parts else 0
        contents = Contents(template, settings.seed, settings.disorder, settings.times)
        self._parts.append(Part(self._next, number * size, size, contents))


class _Maker:
    """Makes the parts of a stream in a thread, from when the first is asked for, some of them ahead."""

    def __init__(self, settings: SendSettings, stream: Stream) -> None:
        self._settings = settings
        self._stream = stream
        self._queue: Queue[Template | Exception | None] = Queue(AHEAD)
        self._started = False
        self.over = False
        """Whether there are no more."""

    def take(self) -> Template | None:
        """The next part; None when it is not made yet, or there is none. Raises what went wrong."""
        if not self._started:
            self._started = True
            Thread(target=self._make, name="vivace-generate", daemon=True).start()
        try:
            made = self._queue.get_nowait()
        except Empty:
            return None
        if isinstance(made, Exception):
            raise made
        self.over = made is None
        return made

    def _make(self) -> None:
        from vivace.telemetry.stream import stream_templates  # noqa: PLC0415 - most senders generate nothing

        stream, batching = self._stream, self._settings.batching
        try:
            for part in stream_templates(stream.configuration, stream.signal, endless=stream.endless):
                self._queue.put(part if batching is None else cut(part, batching))
            self._queue.put(None)
        except Exception as error:  # raised again where the part is needed
            self._queue.put(error)
