"""Reads OTLP bytes just far enough to find the places that replay overwrites: whole messages, IDs and times.

All messages of one level are read in lockstep: each turn reads one field of every message with NumPy, so the cost does
not grow with the number of messages in Python steps. What is read is declared in tables (`TRACES`, `METRICS`,
`LOGS`), not coded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from vivace.errors import TemplateError
from vivace.telemetry.arrays import Bytes, Numbers

LOCKSTEP_LEAST: Final = 40
"""With fewer messages than this, reading them one by one is faster than in lockstep."""
LOCKSTEP_MOST: Final = 8192
"""So many messages' positions stay in the processor's cache."""
BEYOND: Final = 1 << 60
"""A place after the end of any message."""
FIXED_SIZE: Final = (0, 8, 0, BEYOND, BEYOND, 4, BEYOND, BEYOND)
"""By wire type: bytes of a value of fixed size; groups and unknown wire types never end."""
_FIXED_SIZES: Final = np.array(FIXED_SIZE, np.int64)
LEAST_TAG: Final = 1 << 3
GREATEST_TAG: Final = (1 << 32) - 1


class Wire(IntEnum):
    """How a field's value is encoded."""

    VARINT = 0
    FIXED64 = 1
    LENGTH = 2
    FIXED32 = 5


class Role(IntEnum):
    """What a value means to replay."""

    TRACE_ID = 1
    SPAN_ID = 2
    TIME = 3


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value whose place is wanted; it has exactly `size` bytes, or is absent or empty where it is not required."""

    role: Role
    wire: Wire
    size: int
    required: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """A message to descend into: the fields that matter, by number, each with a name; all others are skipped."""

    fields: Mapping[int, tuple[str, Message | Leaf]]

    def leaves(self) -> dict[str, Leaf]:
        """The values among the fields, by name."""
        return {name: field for name, field in self.fields.values() if isinstance(field, Leaf)}

    def messages(self) -> dict[str, Message]:
        """The messages among the fields, by name."""
        return {name: field for name, field in self.fields.values() if isinstance(field, Message)}


@dataclass(frozen=True, slots=True)
class Found:
    """All messages of one kind in the order of the bytes; row n of every array is about message n."""

    owner: Numbers
    """Which message of the level above holds it."""
    start: Numbers
    """Where its content starts; the tag and the length are before it."""
    stop: Numbers
    leaves: Mapping[str, Numbers]
    """Where each wanted value is; -1 when the message has none."""


TIME: Final = Leaf(Role.TIME, Wire.FIXED64, 8)
REQUIRED_TIME: Final = Leaf(Role.TIME, Wire.FIXED64, 8, required=True)
REQUIRED_TRACE_ID: Final = Leaf(Role.TRACE_ID, Wire.LENGTH, 16, required=True)
REQUIRED_SPAN_ID: Final = Leaf(Role.SPAN_ID, Wire.LENGTH, 8, required=True)
SPAN_ID: Final = Leaf(Role.SPAN_ID, Wire.LENGTH, 8)

EVENT: Final = Message({1: ("time", TIME)})
LINK: Final = Message({1: ("trace_id", REQUIRED_TRACE_ID), 2: ("span_id", REQUIRED_SPAN_ID)})
SPAN: Final = Message(
    {
        1: ("trace_id", REQUIRED_TRACE_ID),
        2: ("span_id", REQUIRED_SPAN_ID),
        4: ("parent_span_id", SPAN_ID),
        7: ("start", REQUIRED_TIME),
        8: ("end", REQUIRED_TIME),
        11: ("events", EVENT),
        13: ("links", LINK),
    }
)
ENTRIES: Final = Message({1: ("entries", Message({}))})
"""The top level alone, of any signal."""
TRACES: Final = Message({1: ("resource_spans", Message({2: ("scope_spans", Message({2: ("spans", SPAN)}))}))})
"""TracesData, which is also ExportTraceServiceRequest."""

TRACE_ID: Final = Leaf(Role.TRACE_ID, Wire.LENGTH, 16)
EXEMPLAR: Final = Message({2: ("time", TIME), 4: ("span_id", SPAN_ID), 5: ("trace_id", TRACE_ID)})


def _data(kind: str, exemplars: int) -> Message:
    """The data of a metric of one kind, whose points have exemplars in that field; 0: they have none."""
    point: dict[int, tuple[str, Message | Leaf]] = {2: ("start", TIME), 3: ("time", TIME)}
    if exemplars:
        point[exemplars] = (f"{kind}_exemplars", EXEMPLAR)
    return Message({1: (f"{kind}_points", Message(point))})


METRIC: Final = Message(
    {
        5: ("gauge", _data("gauge", 5)),
        7: ("sum", _data("sum", 5)),
        9: ("histogram", _data("histogram", 8)),
        10: ("exponential", _data("exponential", 11)),
        11: ("summary", _data("summary", 0)),
    }
)
METRICS: Final = Message({1: ("resource_metrics", Message({2: ("scope_metrics", Message({2: ("metrics", METRIC)}))}))})
"""MetricsData, which is also ExportMetricsServiceRequest."""

RECORD: Final = Message(
    {1: ("time", TIME), 9: ("trace_id", TRACE_ID), 10: ("span_id", SPAN_ID), 11: ("observed", TIME)}
)
LOGS: Final = Message({1: ("resource_logs", Message({2: ("scope_logs", Message({2: ("records", RECORD)}))}))})
"""LogsData, which is also ExportLogsServiceRequest."""


def scan(payload: Bytes, root: Message, source: str, start: int = 0, stop: int | None = None) -> dict[str, Found]:
    """Every message of the table in `payload`, by its name in the table; `source` is what errors call the bytes.

    With `start` and `stop`, only those bytes are read, as one message; places still count from the first byte. Raises
    TemplateError when the bytes end too early, a varint or a size is wrong, or a required value is missing.
    """
    scanner = _Scanner(payload, source)
    scanner.descend(root, np.array([start]), np.array([payload.size if stop is None else stop]))
    return scanner.found


@dataclass(frozen=True, slots=True)
class _Fields:
    """Fields that some messages hold; those of one message are in its order."""

    owner: Numbers
    kind: npt.NDArray[np.int8]
    """See `_interest`."""
    begin: Numbers
    end: Numbers

    @classmethod
    def joined(cls, parts: Iterable[_Fields]) -> _Fields:
        """All parts, one after the other."""
        owner, kind, begin, end = zip(*((part.owner, part.kind, part.begin, part.end) for part in parts), strict=True)
        return cls(np.concatenate(owner), np.concatenate(kind), np.concatenate(begin), np.concatenate(end))

    def rows(self, rows: Numbers) -> _Fields:
        """Some of the fields."""
        return _Fields(self.owner.take(rows), self.kind.take(rows), self.begin.take(rows), self.end.take(rows))


_NONE: Final = np.zeros(0, np.int64)
_NO_FIELDS: Final = _Fields(_NONE, np.zeros(0, np.int8), _NONE, _NONE)


def _interest(message: Message) -> npt.NDArray[np.int8]:
    """By tag (0-255): 0 skip, n take as the n-th field, -1 a wanted field with a wrong wire type."""
    interest = np.zeros(256, np.int8)
    for place, (number, (_, field)) in enumerate(message.fields.items()):
        interest[number << 3 : (number << 3) + 8] = -1
        interest[number << 3 | (field.wire if isinstance(field, Leaf) else Wire.LENGTH)] = place + 1
    return interest


class _Scanner:
    """Reads level after level of one payload."""

    def __init__(self, payload: Bytes, source: str) -> None:
        self._payload = payload
        self._data = payload.data
        self._source = source
        self.found: dict[str, Found] = {}

    def descend(self, message: Message, start: Numbers, stop: Numbers) -> dict[str, Numbers]:
        """Adds what the messages at start..stop hold to `found`; gives the places of their own leaves."""
        fields = self._fields(start, stop, _interest(message))
        leaves: dict[str, Numbers] = {}
        for place, (name, field) in enumerate(message.fields.values()):
            some = fields.rows(np.flatnonzero(fields.kind == place + 1))
            if isinstance(field, Leaf):
                leaves[name] = self._last(field, name, some, start)
                continue
            some = some.rows(np.argsort(some.begin, kind="stable"))
            inner = self.descend(field, some.begin, some.end)
            self.found[name] = Found(some.owner, some.begin, some.end, inner)
        return leaves

    def _last(self, leaf: Leaf, name: str, fields: _Fields, start: Numbers) -> Numbers:
        """The place of each message's value, -1 when absent or empty; of several the last counts, as in protobuf."""
        size = fields.end - fields.begin
        wrong = np.flatnonzero((size != leaf.size) & (size != 0))
        if wrong.size:
            raise self._refusal(f"{name} has {size[wrong[0]]} bytes, not {leaf.size}", fields.begin[wrong[0]])
        places = np.full(start.size, -1)
        places[fields.owner] = np.where(size == 0, -1, fields.begin)
        if leaf.required and places.size and places.min() < 0:
            raise self._refusal(f"{name} is missing", start[places.argmin()])
        return places

    def _fields(self, start: Numbers, stop: Numbers, interest: npt.NDArray[np.int8]) -> _Fields:
        """The wanted fields of all messages."""
        parts = [_NO_FIELDS]
        for first in range(0, start.size, LOCKSTEP_MOST):
            some = np.arange(first, min(first + LOCKSTEP_MOST, start.size))
            parts.extend(self._lockstep(some, start[some], stop[some], interest))
        fields = _Fields.joined(parts)
        wrong = np.flatnonzero(fields.kind < 0)
        if wrong.size:
            raise self._refusal("a field has the wrong wire type", fields.begin[wrong[0]])
        return fields

    def _lockstep(
        self, owner: Numbers, at: Numbers, stop: Numbers, interest: npt.NDArray[np.int8]
    ) -> Iterator[_Fields]:
        """One field of every message a turn, while there are enough of them; the rest one by one."""
        while True:
            more = at < stop
            if not more.all():
                owner, at, stop = owner[more], at[more], stop[more]
            if at.size < LOCKSTEP_LEAST:
                break
            tag, begin, end = _field(self._payload, at)
            if (end > stop).any() or tag.min() < LEAST_TAG or tag.max() > GREATEST_TAG:
                wrong = (end > stop) | (tag < LEAST_TAG) | (tag > GREATEST_TAG)
                raise self._refusal("a field is not well formed or does not end", at[wrong][0])
            kind = interest.take(tag, mode="clip")
            wanted = np.flatnonzero(kind)
            if wanted.size:
                yield _Fields(owner.take(wanted), kind.take(wanted), begin.take(wanted), end.take(wanted))
            at = end
        wants = interest.tolist()
        for number, first, last in zip(owner.tolist(), at.tolist(), stop.tolist(), strict=True):
            yield self._walk(number, first, last, wants)

    def _walk(self, owner: int, at: int, stop: int, wants: list[int]) -> _Fields:
        """The same as `_lockstep` for a single message."""
        kinds: list[int] = []
        begins: list[int] = []
        ends: list[int] = []
        while at < stop:
            tag, begin = self._varint(at, stop)
            wire = tag & 7
            if wire == Wire.LENGTH:
                length, begin = self._varint(begin, stop)
                end = begin + length
            elif wire == Wire.VARINT:
                end = self._varint(begin, stop, most=10)[1]
            else:
                end = begin + FIXED_SIZE[wire]
            if end > stop or not LEAST_TAG <= tag <= GREATEST_TAG:
                raise self._refusal("a field is not well formed or does not end", at)
            if tag < 256 and wants[tag]:
                kinds.append(wants[tag])
                begins.append(begin)
                ends.append(end)
            at = end
        return _Fields(np.full(len(kinds), owner), np.array(kinds, np.int8), _places(begins), _places(ends))

    def _varint(self, at: int, stop: int, most: int = 5) -> tuple[int, int]:
        """Value and end of the varint at `at`, which has at most `most` bytes."""
        value = shift = 0
        for place in range(at, min(stop, at + most)):
            byte = self._data[place]
            if byte < 0x80:
                return value | byte << shift, place + 1
            value |= (byte & 0x7F) << shift
            shift += 7
        raise self._refusal("a varint does not end or is too long", at)

    def _refusal(self, what: str, place: int | np.int64) -> TemplateError:
        return TemplateError(
            f"{self._source}: not OTLP, or truncated: {what} (byte {int(place)}); generate or import it again"
        )


def _places(values: list[int]) -> Numbers:
    return np.array(values, np.int64)


def _field(payload: Bytes, at: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Tag, begin and end of the value of the field at each place; what is malformed ends beyond everything."""
    tag, begin = _varints(payload, at)
    length, after = _varints(payload, begin)
    end = after + length
    wire = tag.astype(np.uint8) & 7
    other = np.flatnonzero(wire != Wire.LENGTH)
    if other.size:
        kind, first = wire.take(other), begin.take(other)
        end[other] = np.where(kind == Wire.VARINT, after.take(other), first + _FIXED_SIZES.take(kind))
        after[other] = first
    return tag, after, end


def _varints(payload: Bytes, at: Numbers) -> tuple[Numbers, Numbers]:
    """Value of the varint at each place, and where it ends. Over 5 bytes: a huge value; over 10: it never ends."""
    first = payload.take(at, mode="clip")
    value, after = first.astype(np.int64), at + 1
    unfinished = np.flatnonzero(first > 0x7F)
    for turn in range(1, 10):
        if not unfinished.size:
            return value, after
        byte = payload.take(after.take(unfinished), mode="clip").astype(np.int64)
        if turn < 5:
            value[unfinished] += (byte - 1) << (7 * turn)  # the bit that said "more" counted as 1 << (7 * turn)
        else:
            value[unfinished] = BEYOND
        after[unfinished] += 1
        unfinished = unfinished[byte > 0x7F]
    after[unfinished] = BEYOND
    return value, after
