"""Finds in a template's bytes what replay overwrites, and cuts them into requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from vivace.errors import TemplateError
from vivace.telemetry.arrays import Bytes, Numbers, Words
from vivace.telemetry.slots import References, Slots, assign
from vivace.telemetry.template import EPOCH_NS, Requests, Signal, Template
from vivace.telemetry.wire import SPAN, TRACES, Found, Message, Role, scan

LARGEST: Final = (1 << 31) - 1


def build(payload: Bytes, source: str) -> Template:
    """The template in these bytes; `source` is what errors call them. Raises TemplateError."""
    found = scan(payload, TRACES, source)
    if not found["spans"].start.size:
        raise TemplateError(f"{source}: holds no spans; give a file with OTLP traces")
    entry_edges = np.append(0, found["resource_spans"].stop)
    entry_edges[-1] = payload.size
    traces_at, own, spans_at = _ids(found)
    references = References(
        _words(payload, traces_at),
        _words(payload, traces_at + 8),
        _entry(entry_edges, traces_at),
        own,
        _words(payload, spans_at),
        _entry(entry_edges, spans_at),
        entry_edges.size - 1,
    )
    slots = assign(references)
    starts = np.searchsorted(slots.group, np.arange(slots.traces.size))
    edges = np.append(entry_edges[starts], payload.size)
    if np.diff(edges).max() > LARGEST:
        raise TemplateError(f"{source}: traces that belong together fill over 2 GiB; split the file")
    id_place = np.concatenate([traces_at, traces_at + 8, spans_at])
    id_slot = np.concatenate([slots.trace, slots.trace + 1, slots.span])
    order = np.argsort(id_place, kind="stable")
    return _template(payload, found, _Requests(slots, edges, id_place[order], id_slot[order]))


@dataclass(frozen=True, slots=True)
class _Requests:
    slots: Slots
    edges: Numbers
    """First byte of each request, and the end of the last."""
    id_place: Numbers
    id_slot: Numbers


def _template(payload: Bytes, found: Mapping[str, Found], requests: _Requests) -> Template:
    slots, edges, id_place = requests.slots, requests.edges, requests.id_place
    start, end = found["spans"].leaves["start"], found["spans"].leaves["end"]
    first_span = np.searchsorted(start, edges[:-1])
    earliest = np.minimum.reduceat(_words(payload, start), first_span)
    latest = np.maximum.reduceat(_words(payload, end), first_span)
    time_place = np.sort(_places(TRACES, found, Role.TIME))
    time_request = np.searchsorted(edges, time_place, "right") - 1
    table = Requests(
        start=edges[:-1],
        stop=edges[1:],
        items=np.diff(first_span, append=start.size).astype(np.int32),
        traces=slots.traces.astype(np.int32),
        group=np.arange(slots.traces.size, dtype=np.int32),
        words=slots.words.astype(np.int32),
        span_ns=(latest - earliest).astype(np.int64),
    )
    return Template(
        signal=Signal.TRACES,
        payload=payload,
        requests=table,
        id_offset=(id_place - edges[np.searchsorted(edges, id_place, "right") - 1]).astype(np.int32),
        id_slot=requests.id_slot.astype(np.int32),
        id_bounds=np.searchsorted(id_place, edges).astype(np.int64),
        time_offset=(time_place - edges[time_request]).astype(np.int32),
        time_value=_words(payload, time_place) - earliest[time_request] + np.uint64(EPOCH_NS),
        time_bounds=np.searchsorted(time_place, edges).astype(np.int64),
    )


def _ids(found: Mapping[str, Found]) -> tuple[Numbers, int, Numbers]:
    """Places of trace IDs, how many of them are spans' own (these come first), places of span IDs."""
    own = found["spans"].leaves["trace_id"]
    others = [_places(field, found, Role.TRACE_ID, name) for name, field in SPAN.messages().items()]
    return np.concatenate([own, *others]), own.size, _places(TRACES, found, Role.SPAN_ID)


def _places(message: Message, found: Mapping[str, Found], role: Role, name: str = "") -> Numbers:
    """Where all values of one role are."""
    places = [np.zeros(0, np.int64)]
    places += [_places(field, found, role, inner) for inner, field in message.messages().items()]
    places += [found[name].leaves[leaf] for leaf, field in message.leaves().items() if field.role is role]
    every = np.concatenate(places)
    return every[every >= 0]


def _words(payload: Bytes, place: Numbers) -> Words:
    """The 8 bytes at each place."""
    view = np.ndarray((payload.size - 7,), np.uint64, payload.data, strides=(1,))
    return view[place]


def _entry(edges: Numbers, place: Numbers) -> Numbers:
    return np.searchsorted(edges, place, "right") - 1
