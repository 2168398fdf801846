"""Reads OTLP bytes just far enough to find the places that replay overwrites: whole messages, IDs and times.

All messages of one level are read in lockstep: each turn reads one field of every message with NumPy, so the cost does
not grow with the number of messages in Python steps. What is read is declared in tables (`TRACES`), not coded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from vivace.errors import TemplateError

Bytes: TypeAlias = npt.NDArray[np.uint8]
Places: TypeAlias = npt.NDArray[np.int64]

LOCKSTEP_LEAST: Final = 40
"""With fewer messages than this, reading them one by one is faster than in lockstep."""
LOCKSTEP_MOST: Final = 8192
"""So many messages' positions stay in the processor's cache."""
BEYOND: Final = 1 << 60
"""A place after the end of any message."""


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
        return {name: kind for name, kind in self.fields.values() if isinstance(kind, Leaf)}


@dataclass(frozen=True, slots=True)
class Found:
    """All messages of one kind in the order of the bytes; row n of every array is about message n."""

    owner: Places
    """Which message of the level above holds it."""
    start: Places
    """Where its content starts; the tag and the length are before it."""
    stop: Places
    leaves: Mapping[str, Places]
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
TRACES: Final = Message({1: ("resource_spans", Message({2: ("scope_spans", Message({2: ("spans", SPAN)}))}))})
"""TracesData, which is also ExportTraceServiceRequest."""


def scan(payload: Bytes, root: Message, source: str) -> dict[str, Found]:
    """Every message of the table in `payload`, by the names of `root`; `source` is what errors call the bytes.

    Raises TemplateError when the bytes end too early, a varint or a size is wrong, or a required value is missing.
    """
    whole = np.array([0], np.int64), np.array([payload.size], np.int64)
    found: dict[str, Found] = {}
    _descend(payload, root, *whole, source, found)
    return found


def _descend(
    payload: Bytes, message: Message, start: Places, stop: Places, source: str, found: dict[str, Found]
) -> dict[str, Places]:
    """Adds what the messages at start..stop hold to `found`; gives the places of their own leaves."""
    owner, kind, begin, end = _fields(payload, start, stop, _interest(message), source)
    leaves: dict[str, Places] = {}
    for place, (name, field) in enumerate(message.fields.values()):
        rows = np.flatnonzero(kind == place + 1)
        if isinstance(field, Leaf):
            leaves[name] = _last(field, name, owner[rows], begin[rows], end[rows], start, source)
            continue
        rows = rows[np.argsort(begin[rows], kind="stable")]
        inner = _descend(payload, field, begin[rows], end[rows], source, found)
        found[name] = Found(owner[rows], begin[rows], end[rows], inner)
    return leaves


def _last(leaf: Leaf, name: str, owner: Places, begin: Places, end: Places, start: Places, source: str) -> Places:
    """The place of each message's value, -1 when absent or empty; of several the last counts, as in protobuf."""
    size = end - begin
    wrong = np.flatnonzero((size != leaf.size) & (size != 0))
    if wrong.size:
        raise _refusal(source, f"{name} has {size[wrong[0]]} bytes, not {leaf.size}", begin[wrong[0]])
    places = np.full(start.size, -1, np.int64)
    places[owner] = np.where(size == 0, -1, begin)
    if leaf.required and places.size and places.min() < 0:
        raise _refusal(source, f"{name} is missing", start[places.argmin()])
    return places


def _interest(message: Message) -> npt.NDArray[np.int8]:
    """By tag (0-255): 0 skip, n take as the n-th field, -1 a wanted field with a wrong wire type."""
    interest = np.zeros(256, np.int8)
    for place, (number, (_, field)) in enumerate(message.fields.items()):
        interest[number << 3 : (number << 3) + 8] = -1
        interest[number << 3 | (field.wire if isinstance(field, Leaf) else Wire.LENGTH)] = place + 1
    return interest


def _fields(
    payload: Bytes, start: Places, stop: Places, interest: npt.NDArray[np.int8], source: str
) -> tuple[Places, npt.NDArray[np.int8], Places, Places]:
    """The wanted fields of all messages: owner, kind (see `_interest`), begin, end. A message's fields keep order."""
    turns = [(np.zeros(0, np.int64), np.zeros(0, np.int8), np.zeros(0, np.int64), np.zeros(0, np.int64))]
    for first in range(0, start.size, LOCKSTEP_MOST):
        some = slice(first, first + LOCKSTEP_MOST)
        turns.extend(_lockstep(payload, start[some], stop[some], first, interest, source))
    owner, kind, begin, end = (np.concatenate(column) for column in zip(*turns, strict=True))
    wrong = np.flatnonzero(kind < 0)
    if wrong.size:
        raise _refusal(source, "a field has the wrong wire type", begin[wrong[0]])
    return owner, kind, begin, end


def _lockstep(
    payload: Bytes, at: Places, stop: Places, first: int, interest: npt.NDArray[np.int8], source: str
) -> Iterator[tuple[Places, npt.NDArray[np.int8], Places, Places]]:
    """One field of every message a turn, while there are enough of them; the rest one by one."""
    owner = np.arange(first, first + at.size)
    at, stop, owner = _unfinished(at, stop, owner)
    while at.size >= LOCKSTEP_LEAST:
        tag, begin, end = _field(payload, at)
        wrong = np.flatnonzero((end > stop) | (tag < 8) | (tag >= 1 << 32))
        if wrong.size:
            raise _refusal(source, "a field is not well formed or does not end", at[wrong[0]])
        kind = interest.take(np.minimum(tag, 255))
        wanted = np.flatnonzero(kind)
        yield owner[wanted], kind[wanted], begin[wanted], end[wanted]
        at, stop, owner = _unfinished(end, stop, owner)
    data = memoryview(payload)
    for message in range(at.size):
        yield _walk(data, int(at[message]), int(stop[message]), int(owner[message]), interest, source)


def _unfinished(at: Places, stop: Places, owner: Places) -> tuple[Places, Places, Places]:
    more = at < stop
    return (at, stop, owner) if more.all() else (at[more], stop[more], owner[more])


_SIZE: Final = np.array([0, 8, 0, BEYOND, BEYOND, 4, BEYOND, BEYOND], np.int64)
"""By wire type: bytes of a fixed value; groups and unknown wire types never end."""


def _field(payload: Bytes, at: Places) -> tuple[Places, Places, Places]:
    """Tag, begin and end of the value of the field at each place; what is malformed ends beyond everything."""
    tag, begin = _varints(payload, at)
    length, after = _varints(payload, begin)
    end = np.minimum(after, BEYOND) + length
    wire = tag & 7
    other = np.flatnonzero(wire != Wire.LENGTH)
    if other.size:
        kinds, begins = wire[other], begin[other]
        end[other] = np.where(kinds == Wire.VARINT, after[other], begins + _SIZE[kinds])
        after[other] = begins
    return tag, after, end


def _varints(payload: Bytes, at: Places) -> tuple[Places, Places]:
    """Value of the varint at each place, and where it ends. Over 5 bytes: a huge value; over 10: it never ends."""
    value = payload.take(at, mode="clip").astype(np.int64)
    after = at + 1
    unfinished = np.flatnonzero(value > 0x7F)
    for turn in range(1, 10):
        if not unfinished.size:
            return value, after
        byte = payload.take(after[unfinished], mode="clip").astype(np.int64)
        if turn < 5:
            value[unfinished] += (byte - 1) << (7 * turn)  # the bit that said "more" counted as 1 << (7 * turn)
        else:
            value[unfinished] = BEYOND
        after[unfinished] += 1
        unfinished = unfinished[byte > 0x7F]
    after[unfinished] = BEYOND
    return value, after


def _walk(
    data: memoryview, at: int, stop: int, owner: int, interest: npt.NDArray[np.int8], source: str
) -> tuple[Places, npt.NDArray[np.int8], Places, Places]:
    """The same as `_lockstep` for a single message."""
    kinds: list[int] = []
    begins: list[int] = []
    ends: list[int] = []
    wanted = interest.tolist()
    while at < stop:
        tag, begin = _varint(data, at, stop, source)
        wire = tag & 7
        if wire == Wire.LENGTH:
            length, begin = _varint(data, begin, stop, source)
            end = begin + length
        elif wire == Wire.VARINT:
            end = _varint(data, begin, stop, source, most=10)[1]
        else:
            end = begin + int(_SIZE[wire])
        if end > stop or not 8 <= tag < 1 << 32:
            raise _refusal(source, "a field is not well formed or does not end", at)
        if tag < 256 and wanted[tag]:
            kinds.append(wanted[tag])
            begins.append(begin)
            ends.append(end)
        at = end
    return np.full(len(kinds), owner), np.array(kinds, np.int8), np.array(begins, np.int64), np.array(ends, np.int64)


def _varint(data: memoryview, at: int, stop: int, source: str, most: int = 5) -> tuple[int, int]:
    """Value and end of the varint at `at`, which has at most `most` bytes."""
    value = 0
    for place in range(at, min(stop, at + most)):
        byte = data[place]
        value |= (byte & 0x7F) << (7 * (place - at))
        if byte < 0x80:
            return value, place + 1
    raise _refusal(source, "a varint does not end or is too long", at)


def _refusal(source: str, what: str, place: int | np.int64) -> TemplateError:
    return TemplateError(f"{source}: not OTLP, or truncated: {what} (byte {int(place)}); generate or import it again")
