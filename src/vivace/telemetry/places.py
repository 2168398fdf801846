"""Finds in the bytes of a template of traces what replay overwrites, and cuts them into requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Final

import numpy as np

from vivace.errors import TemplateError
from vivace.telemetry.arrays import Bytes, Numbers, Words
from vivace.telemetry.fresh import find, values
from vivace.telemetry.slots import References, Slots, assign
from vivace.telemetry.template import EPOCH_NS, Requests, Signal, Template, Values
from vivace.telemetry.wire import ENTRIES, SPAN, TRACES, Found, Message, Role, scan

PART_BYTES: Final = 64 << 20
"""So much is read at once: memory for a part is a multiple of it."""
LARGEST: Final = (1 << 31) - 1


def build(payload: Bytes, source: str, first: int = 0) -> Template:
    """The template in these bytes; `source` is what errors call them. Raises TemplateError.

    Part of a longer template that was made here: `first` is its first group.
    """
    entries = scan(payload, ENTRIES, source)["entries"]
    entry_edges = np.append(0, entries.stop)
    entry_edges[-1] = payload.size
    located = Located.joined([_locate(payload, source, *part) for part in parts_of(entry_edges)])
    if not located.start.size:
        raise TemplateError(f"{source}: holds no spans; give a file with OTLP traces")
    slots = assign(_references(payload, located, entry_edges, first))
    starts = np.searchsorted(slots.group, np.arange(slots.traces.size))
    edges = np.append(entry_edges[starts], payload.size)
    if np.diff(edges).max() > LARGEST:
        raise TemplateError(f"{source}: traces that belong together fill over 2 GiB; split the file")
    found = [find(payload, *part) for part in parts_of(entry_edges)]
    return _template(payload, located, slots, edges, fresh=values(found, edges), first=first)


@dataclass(frozen=True, slots=True)
class Located:
    """Places of values, in no particular order but for those by span."""

    own_trace: Numbers
    """By span."""
    start: Numbers
    """By span."""
    end: Numbers
    """By span."""
    other_trace: Numbers
    """Trace IDs that are not a span's own."""
    span: Numbers
    """All span IDs."""
    time: Numbers
    """All times."""

    @classmethod
    def joined(cls, parts: list[Located]) -> Located:
        """All parts, one after the other."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


def parts_of(entry_edges: Numbers) -> Iterator[tuple[int, int]]:
    """Runs of whole entries, few enough at a time to stay in memory."""
    cuts = np.searchsorted(entry_edges, np.arange(0, entry_edges[-1], PART_BYTES), "right") - 1
    yield from pairwise([*np.unique(entry_edges[cuts]).tolist(), int(entry_edges[-1])])


def _locate(payload: Bytes, source: str, start: int, stop: int) -> Located:
    found = scan(payload, TRACES, source, start, stop)
    spans = found["spans"].leaves
    return Located(
        own_trace=spans["trace_id"],
        start=spans["start"],
        end=spans["end"],
        other_trace=np.concatenate(
            [places_of(field, found, Role.TRACE_ID, name) for name, field in SPAN.messages().items()]
        ),
        span=places_of(TRACES, found, Role.SPAN_ID),
        time=places_of(TRACES, found, Role.TIME),
    )


def places_of(message: Message, found: Mapping[str, Found], role: Role, name: str = "") -> Numbers:
    """Where all values of one role are."""
    places = [np.zeros(0, np.int64)]
    places += [places_of(field, found, role, inner) for inner, field in message.messages().items()]
    places += [found[name].leaves[leaf] for leaf, field in message.leaves().items() if field.role is role]
    every = np.concatenate(places)
    return every[every >= 0]


def _references(payload: Bytes, located: Located, entry_edges: Numbers, first: int) -> References:
    traces = np.concatenate([located.own_trace, located.other_trace])
    return References(
        words_at(payload, traces),
        words_at(payload, traces + 8),
        owner_of(entry_edges, traces),
        located.own_trace.size,
        words_at(payload, located.span),
        owner_of(entry_edges, located.span),
        entry_edges.size - 1,
        first,
    )


def _template(
    payload: Bytes, located: Located, slots: Slots, edges: Numbers, *, fresh: Values | None, first: int
) -> Template:
    """`edges`: the first byte of each request, and the end of the last."""
    traces = np.concatenate([located.own_trace, located.other_trace])
    id_place = np.concatenate([traces, traces + 8, located.span])
    order = np.argsort(id_place, kind="stable")
    id_place = id_place[order]
    id_slot = np.concatenate([slots.trace, slots.trace + 1, slots.span])[order]
    first_span = np.searchsorted(located.start, edges[:-1])
    earliest = np.minimum.reduceat(words_at(payload, located.start), first_span)
    latest = np.maximum.reduceat(words_at(payload, located.end), first_span)
    time_place = np.sort(located.time, kind="stable")
    time_request = owner_of(edges, time_place)
    requests = Requests(
        start=edges[:-1],
        stop=edges[1:],
        items=np.diff(first_span, append=located.start.size).astype(np.int32),
        traces=slots.traces.astype(np.int32),
        group=np.arange(first, first + slots.traces.size, dtype=np.int32),
        words=slots.words.astype(np.int32),
        span_ns=(latest - earliest).astype(np.int64),
    )
    return Template(
        signal=Signal.TRACES,
        payload=payload,
        requests=requests,
        id_offset=(id_place - edges[owner_of(edges, id_place)]).astype(np.int32),
        id_slot=id_slot.astype(np.int32),
        id_bounds=np.searchsorted(id_place, edges).astype(np.int64),
        groups=requests.group,
        group_words=requests.words,
        group_bounds=np.arange(len(requests) + 1),
        time_offset=(time_place - edges[time_request]).astype(np.int32),
        time_value=words_at(payload, time_place) - earliest[time_request] + np.uint64(EPOCH_NS),
        time_bounds=np.searchsorted(time_place, edges).astype(np.int64),
        values=fresh,
    )


def words_at(payload: Bytes, place: Numbers) -> Words:
    """The 8 bytes at each place."""
    view = np.ndarray((max(0, payload.size - 7),), np.uint64, payload.data, strides=(1,))
    return view[place]


def owner_of(edges: Numbers, place: Numbers) -> Numbers:
    """Which of the stretches between the edges each place is in."""
    return np.searchsorted(edges, place, "right") - 1
