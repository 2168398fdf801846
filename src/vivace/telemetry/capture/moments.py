"""Where metrics and log records hold times and IDs, told by their descriptors; and how both are rewritten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol, cast

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from vivace.telemetry.capture.identifiers import SPAN_BYTES, TRACE_BYTES, is_id
from vivace.telemetry.capture.marks import Marks
from vivace.telemetry.capture.mentions import Mentions
from vivace.telemetry.slots import OWN_GROUPS
from vivace.telemetry.template import EPOCH_NS

TIMES: Final = ("start_time_unix_nano", "time_unix_nano", "observed_time_unix_nano")
ATTRIBUTES: Final = "opentelemetry.proto.common.v1."
"""The package of attributes, which hold neither."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What matters of one type of message."""

    times: tuple[str, ...]
    refers: bool
    """Whether it refers to a span, by trace ID and span ID."""
    children: tuple[tuple[str, bool, Layout], ...]
    """Fields that hold messages which matter: name, whether repeated, their layout."""

    @property
    def matters(self) -> bool:
        return bool(self.times or self.refers or self.children)


class Referring(Protocol):
    """A message that refers to a span."""

    trace_id: bytes
    span_id: bytes


@dataclass(frozen=True, slots=True)
class Moment:
    """A message with times or IDs, anywhere in a metric or a log record."""

    message: Message
    layout: Layout

    @property
    def is_data_point(self) -> bool:
        return TIMES[0] in self.layout.times

    def times(self) -> list[int]:
        """Those that are known."""
        return [time for name in self.layout.times if (time := getattr(self.message, name))]

    def reference(self) -> tuple[bytes, bytes]:
        """Trace ID and span ID; empty where there is none that is valid."""
        if not self.layout.refers:
            return b"", b""
        message = cast("Referring", self.message)
        if not is_id(message.trace_id, TRACE_BYTES):
            return b"", b""
        return message.trace_id, message.span_id if is_id(message.span_id, SPAN_BYTES) else b""

    def shift(self, earliest: int) -> None:
        """Makes `earliest` the template's first second."""
        for name in self.layout.times:
            if time := getattr(self.message, name):
                setattr(self.message, name, (time - earliest + EPOCH_NS) % (1 << 64) or 1)

    def mark(self, mentions: Mentions, marks: Marks) -> None:
        """Overwrites the IDs, by `marks` where they are not of the capture's traces; what is not valid is cleared."""
        if self.layout.refers:
            trace_id, span_id = self.reference()
            message = cast("Referring", self.message)
            message.trace_id = mentions.trace(trace_id, marks) if trace_id else b""
            message.span_id = mentions.span(trace_id, span_id, marks) if span_id else b""


def rewrite(number: int, moments: Sequence[Moment], mentions: Mentions, earliest: int) -> None:
    """Makes what a request holds part of a template: its request `number`, with `earliest` as the first second."""
    references = sum(moment.layout.refers for moment in moments)
    marks = Marks(OWN_GROUPS + number, [], references, references)
    for moment in moments:
        moment.mark(mentions, marks)
        moment.shift(earliest)


def moments(item: Message) -> Iterator[Moment]:
    """All messages with times or IDs in a metric or a log record, itself included."""
    return _moments(item, layout(item.DESCRIPTOR))


@cache
def layout(descriptor: Descriptor) -> Layout:
    """The layout of a type of message."""
    names = {field.name for field in descriptor.fields}
    children = []
    for field in descriptor.fields:
        if field.message_type is not None and not field.message_type.full_name.startswith(ATTRIBUTES):
            inner = layout(field.message_type)
            if inner.matters:
                children.append((field.name, field.is_repeated, inner))
    return Layout(tuple(name for name in TIMES if name in names), names >= {"trace_id", "span_id"}, tuple(children))


def _moments(message: Message, own: Layout) -> Iterator[Moment]:
    if own.times or own.refers:
        yield Moment(message, own)
    for name, repeated, inner in own.children:
        if repeated:
            for child in getattr(message, name):
                yield from _moments(child, inner)
        elif message.HasField(name):
            yield from _moments(getattr(message, name), inner)
