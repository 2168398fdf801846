"""Finds in the bytes of a template of metrics or logs what replay overwrites, and cuts them into requests.

Nothing in metrics and logs says what belongs together, so a request is as many whole top-level entries (each is what
one resource sent) as fit into REQUEST_ITEMS. IDs refer to traces: see `Template.groups`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from vivace.errors import TemplateError
from vivace.telemetry.arrays import Bytes, Numbers
from vivace.telemetry.places import LARGEST, PART_BYTES, owner_of, parts_of, places_of, words_at
from vivace.telemetry.slots import Mentions, MentionSlots, assign_mentions
from vivace.telemetry.template import EPOCH_NS, Requests, Signal, Template
from vivace.telemetry.wire import ENTRIES, LOGS, METRIC, METRICS, Found, Message, Role, scan

REQUEST_ITEMS: Final = 1000
"""Data points or log records in a request, at most; but an entry that holds more is a request of its own."""
TABLES: Final[Mapping[Signal, Message]] = {Signal.METRICS: METRICS, Signal.LOGS: LOGS}
ENTRY: Final[Mapping[Signal, str]] = {Signal.METRICS: "resource_metrics", Signal.LOGS: "resource_logs"}
NOUNS: Final[Mapping[Signal, str]] = {Signal.METRICS: "data points", Signal.LOGS: "log records"}
KINDS: Final = tuple(METRIC.messages())
"""Of data that a metric can have."""


def build_items(payload: Bytes, source: str, signal: Signal) -> Template:
    """The template of metrics or logs in these bytes; `source` is what errors call them. Raises TemplateError."""
    located = Located.joined([_locate(payload, source, signal, *part) for part in _parts(payload, source)])
    entry_edges = np.append(0, located.entry_stop)
    entry_edges[-1] = payload.size
    if not located.item.size:
        raise TemplateError(f"{source}: holds no {NOUNS[signal]}; give a file with OTLP {signal}")
    items = np.bincount(owner_of(entry_edges, located.item), minlength=located.entry_stop.size)
    edges = np.append(entry_edges[_starts(items)], payload.size)
    if np.diff(edges).max() > LARGEST:
        raise TemplateError(f"{source}: what one resource sent fills over 2 GiB; split the file")
    return _template(payload, signal, located, edges)


@dataclass(frozen=True, slots=True)
class Located:
    """Places of values, in the order of the bytes."""

    item: Numbers
    """The byte before each data point or log record: an empty one may start where its entry ends."""
    trace: Numbers
    span: Numbers
    time: Numbers
    entry_stop: Numbers
    """Where top-level entries end."""

    @classmethod
    def joined(cls, parts: list[Located]) -> Located:
        """All parts, one after the other."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


def _locate(payload: Bytes, source: str, signal: Signal, start: int, stop: int) -> Located:
    table = TABLES[signal]
    found = scan(payload, table, source, start, stop)
    if signal is Signal.METRICS:
        _check_kinds(found, source)
        item = np.concatenate([found[f"{kind}_points"].start for kind in KINDS])
    else:
        item = found["records"].start
    trace, span, time = (np.sort(places_of(table, found, role)) for role in (Role.TRACE_ID, Role.SPAN_ID, Role.TIME))
    return Located(
        np.sort(item) - 1,
        trace[(words_at(payload, trace) | words_at(payload, trace + 8)) != 0],
        span[words_at(payload, span) != 0],
        time[words_at(payload, time) != 0],
        found[ENTRY[signal]].stop,
    )


def _parts(payload: Bytes, source: str) -> Iterable[tuple[int, int]]:
    """Runs of whole entries, few enough at a time to stay in memory."""
    if payload.size <= PART_BYTES:
        return [(0, payload.size)]
    edges = np.append(0, scan(payload, ENTRIES, source)["entries"].stop)
    edges[-1] = payload.size
    return parts_of(edges)


def _check_kinds(found: Mapping[str, Found], source: str) -> None:
    """A metric has data of one kind; protobuf would forget all but the last."""
    owners = np.concatenate([np.unique(found[kind].owner) for kind in KINDS])
    twice = np.flatnonzero(np.bincount(owners) > 1) if owners.size else owners
    if twice.size:
        place = int(found["metrics"].start[twice[0]])
        raise TemplateError(
            f"{source}: not OTLP, or truncated: a metric has data of more than one kind (byte {place}); "
            "generate or import it again"
        )


def _starts(items: Numbers) -> Numbers:
    """First entry of each request."""
    total, starts, done = np.cumsum(items), [0], 0
    while True:
        stop = max(starts[-1] + 1, int(np.searchsorted(total, done + REQUEST_ITEMS, "right")))
        if stop >= total.size or total[stop - 1] == total[-1]:
            return np.array(starts)
        starts.append(stop)
        done = int(total[stop - 1])


def _template(payload: Bytes, signal: Signal, located: Located, edges: Numbers) -> Template:
    """`edges`: the first byte of each request, and the end of the last."""
    slots = assign_mentions(
        Mentions(
            words_at(payload, located.trace),
            words_at(payload, located.trace + 8),
            owner_of(edges, located.trace),
            words_at(payload, located.span),
            owner_of(edges, located.span),
            edges.size - 1,
        )
    )
    id_place = np.concatenate([located.trace, located.trace + 8, located.span])
    order = np.argsort(id_place, kind="stable")
    id_slot = np.concatenate([slots.trace, slots.trace + 1, slots.span])[order]
    id_place = id_place[order]
    time_request = owner_of(edges, located.time)
    times = words_at(payload, located.time)
    earliest = np.full(edges.size - 1, np.iinfo(np.uint64).max, np.uint64)
    latest = np.zeros(edges.size - 1, np.uint64)
    np.minimum.at(earliest, time_request, times)
    np.maximum.at(latest, time_request, times)
    return Template(
        signal=signal,
        payload=payload,
        requests=_requests(located, edges, slots, np.where(latest > 0, latest - earliest, np.uint64(0))),
        id_offset=(id_place - edges[owner_of(edges, id_place)]).astype(np.int32),
        id_slot=id_slot.astype(np.int32),
        id_bounds=np.searchsorted(id_place, edges).astype(np.int64),
        groups=slots.groups.astype(np.int32),
        group_words=slots.words.astype(np.int32),
        group_bounds=slots.bounds.astype(np.int64),
        time_offset=(located.time - edges[time_request]).astype(np.int32),
        time_value=times - earliest[time_request] + np.uint64(EPOCH_NS),
        time_bounds=np.searchsorted(located.time, edges).astype(np.int64),
    )


def _requests(located: Located, edges: Numbers, slots: MentionSlots, span_ns: npt.NDArray[np.uint64]) -> Requests:
    first, any_group = slots.bounds[:-1], np.diff(slots.bounds) > 0
    total = np.append(0, np.cumsum(slots.words))
    return Requests(
        start=edges[:-1],
        stop=edges[1:],
        items=np.diff(np.searchsorted(located.item, edges)).astype(np.int32),
        traces=np.zeros(edges.size - 1, np.int32),
        group=np.where(any_group, np.append(slots.groups, -1)[first], -1).astype(np.int32),
        words=np.diff(total[slots.bounds]).astype(np.int32),
        span_ns=span_ns.astype(np.int64),
    )
