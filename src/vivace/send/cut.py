"""Cuts a template into requests anew: by traces, by service, by spans or by bytes. Nothing is encoded again.

A request is a run of whole top-level entries, each of which is what one resource sent. Where requests share traces they
agree on the IDs, because they draw from the same groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from vivace.send.reframe import reframed
from vivace.telemetry.arrays import Bytes, Numbers
from vivace.telemetry.items import build_items
from vivace.telemetry.places import build
from vivace.telemetry.template import Requests, Signal, Template, Values
from vivace.telemetry.wire import ENTRIES, LOGS, METRICS, Message, scan

MOST_SPANS: Final = 10_000
"""In a request, however it is cut."""
UNLIMITED: Final = 1 << 62
SPANS: Final = Message({1: ("resource_spans", Message({2: ("scope_spans", Message({2: ("spans", Message({}))}))}))})
TABLES: Final = {Signal.TRACES: SPANS, Signal.METRICS: METRICS, Signal.LOGS: LOGS}
KINDS: Final = ("gauge_points", "sum_points", "histogram_points", "exponential_points", "summary_points")


class Per(StrEnum):
    """What a request holds so many of at most."""

    TRACES = "traces"
    SERVICE = "service"
    """What one resource sent, whatever the number."""
    ITEMS = "items"
    """Spans, data points or log records."""
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Batching:
    """How to cut. What belongs together and is too large is cut all the same, between entries or within them."""

    per: Per
    most: int = UNLIMITED


@dataclass(frozen=True, slots=True)
class Entries:
    """What resources sent; row n of every array is about entry n."""

    edges: Numbers
    """First byte of each, and the end of the last."""
    items: Numbers
    request: Numbers
    """Of the template as it is."""


def open_cut(path: Path, batching: Batching | None) -> Template:
    """The template, cut as wanted. Raises TemplateError as Template.open does."""
    template = Template.open(path)
    return template if batching is None else cut(template, batching, str(path))


def cut(template: Template, batching: Batching, source: str = "template") -> Template:
    """The same telemetry in other requests; `source` is what errors call it."""
    entries = _entries(template)
    most = _most_items(template, batching, entries)
    if template.signal is not Signal.METRICS and (entries.items > most).any():
        template = _rebuilt(reframed(template.payload, entries.edges, entries.items, most), template.signal, source)
        entries = _entries(template)
    starts = np.array(list(_starts(template, entries, batching)), np.int64)
    return _recut(template, entries, starts)


def _entries(template: Template) -> Entries:
    payload = template.payload
    found = scan(payload, ENTRIES, "template")["entries"]
    edges = np.append(0, found.stop)
    edges[-1] = payload.size
    items = np.zeros(found.stop.size, np.int64)
    for start, stop in _parts(edges):
        part = scan(payload, TABLES[template.signal], "template", start, stop)
        names = KINDS if template.signal is Signal.METRICS else ("spans", "records")
        for name in names:
            if name in part:
                owner = np.searchsorted(edges, part[name].start - 1, "right") - 1
                items += np.bincount(owner, minlength=items.size)
    return Entries(edges, items, np.searchsorted(template.requests.start, edges[:-1], "right") - 1)


def _parts(edges: Numbers) -> Iterator[tuple[int, int]]:
    """Runs of whole entries, few enough at a time to stay in memory."""
    part_bytes = 64 << 20
    start = 0
    while start < edges[-1]:
        last = int(np.searchsorted(edges, start + part_bytes, "right")) - 1
        stop = int(edges[max(last, int(np.searchsorted(edges, start, "right")))])
        yield start, stop
        start = stop


def _most_items(template: Template, batching: Batching, entries: Entries) -> Numbers:
    """Of each entry; one that has more is split."""
    whole = MOST_SPANS if template.signal is Signal.TRACES else UNLIMITED
    most = np.full(entries.items.size, whole)
    if batching.per is Per.ITEMS:
        most[:] = np.minimum(most, batching.most)
    elif batching.per is Per.BYTES:
        share = batching.most / np.diff(entries.edges)
        most[:] = np.minimum(most, np.maximum(1, np.floor(entries.items * share)).astype(np.int64))
    return most


def _rebuilt(payload: Bytes, signal: Signal, source: str) -> Template:
    return build(payload, source) if signal is Signal.TRACES else build_items(payload, source, signal)


def _starts(template: Template, entries: Entries, batching: Batching) -> Iterator[int]:
    """The first entry of each request."""
    if batching.per is Per.SERVICE:
        yield from range(entries.items.size)
        return
    whole = MOST_SPANS if template.signal is Signal.TRACES else UNLIMITED
    together = _together(entries, whole) if batching.per is Per.TRACES else np.arange(entries.items.size + 1)
    items = np.append(0, np.cumsum(entries.items))[together]
    weight = {
        Per.ITEMS: items,
        Per.BYTES: entries.edges[together],
        Per.TRACES: _traces_before(template, entries)[together],
    }[batching.per]
    first = 0
    while first < together.size - 1:
        yield int(together[first])
        limits = (
            np.searchsorted(weight, weight[first] + batching.most, "right"),
            np.searchsorted(items, items[first] + whole, "right"),
        )
        first = max(first + 1, int(min(limits)) - 1)


def _together(entries: Entries, most: int) -> Numbers:
    """Entries at which a request may start: those of the template's, and all within those that are too large."""
    total = np.bincount(entries.request, weights=entries.items)
    starts = np.append(True, np.diff(entries.request) > 0) | (total[entries.request] > most)
    return np.append(np.flatnonzero(starts), entries.request.size)


def _traces_before(template: Template, entries: Entries) -> Numbers:
    """Traces of all requests of the template before each entry; they count at a request's first one."""
    first = np.append(True, np.diff(entries.request) > 0)
    return np.append(0, np.cumsum(np.where(first, template.requests.traces[entries.request], 0)))


def _recut(template: Template, entries: Entries, starts: Numbers) -> Template:
    """`starts`: the first entry of each new request."""
    old, edges = template.requests, np.append(entries.edges[starts], template.payload.size)
    stops = np.append(starts[1:], entries.items.size)
    pieces = _pieces(entries.request[starts], entries.request[stops - 1])
    ids = _moved(template.id_offset, template.id_bounds, old.start, edges)
    times = _moved(template.time_offset, template.time_bounds, old.start, edges)
    values, fresh = template.values, None
    if values is not None:
        spots = _moved(values.offset, values.bounds, old.start, edges)
        base, words = pieces.bases(values.words)
        slot = values.slot + base[pieces.row(spots.request, spots.owner)]
        fresh = Values(offset=spots.offset, slot=_narrow(slot), bounds=spots.bounds, words=_narrow(words))
    base, words = pieces.bases(old.words)
    groups, group_words, group_bounds = _groups(template, pieces)
    return replace(
        template,
        requests=Requests(
            start=edges[:-1],
            stop=edges[1:],
            items=_narrow(np.add.reduceat(entries.items, starts)),
            traces=_narrow(np.add.reduceat(old.traces[pieces.old], pieces.bounds[:-1])),
            group=old.group[pieces.old[pieces.bounds[:-1]]],
            words=_narrow(words),
            span_ns=np.maximum.reduceat(old.span_ns[pieces.old], pieces.bounds[:-1]),
        ),
        id_offset=ids.offset,
        id_slot=_narrow(template.id_slot + base[pieces.row(ids.request, ids.owner)]),
        id_bounds=ids.bounds,
        groups=groups,
        group_words=group_words,
        group_bounds=group_bounds,
        time_offset=times.offset,
        time_bounds=times.bounds,
        values=fresh,
    )


@dataclass(frozen=True, slots=True)
class _Pieces:
    """What new requests have of old ones: new request j the old ones old[bounds[j]] to old[bounds[j+1]]."""

    old: Numbers
    bounds: Numbers

    def bases(self, words: npt.NDArray[np.int32]) -> tuple[Numbers, Numbers]:
        """By piece, the words of the pieces before it in its request; by request, all words."""
        sizes = words[self.old].astype(np.int64)
        before = np.cumsum(sizes) - sizes
        first = self.bounds[:-1]
        base = before - np.repeat(before[first], np.diff(self.bounds))
        return base, np.add.reduceat(sizes, first)

    def row(self, request: Numbers, old: Numbers) -> Numbers:
        """The piece of each (new request, old request)."""
        return self.bounds[request] + old - self.old[self.bounds[request]]


def _pieces(first: Numbers, last: Numbers) -> _Pieces:
    counts = last - first + 1
    bounds = np.append(0, np.cumsum(counts))
    return _Pieces(np.arange(bounds[-1]) - np.repeat(bounds[:-1] - first, counts), bounds)


@dataclass(frozen=True, slots=True)
class _Moved:
    """Places, from the start of the new request that each is in."""

    offset: npt.NDArray[np.int32]
    bounds: Numbers
    request: Numbers
    owner: Numbers
    """The old request."""


def _moved(offset: npt.NDArray[np.int32], bounds: Numbers, start: Numbers, edges: Numbers) -> _Moved:
    owner = np.repeat(np.arange(start.size), np.diff(bounds))
    place = offset + start[owner]
    request = np.searchsorted(edges, place, "right") - 1
    return _Moved(_narrow(place - edges[request]), np.searchsorted(place, edges).astype(np.int64), request, owner)


def _groups(template: Template, pieces: _Pieces) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], Numbers]:
    """Groups, words of each, and bounds by new request: those of its pieces, one after the other."""
    bounds = template.group_bounds
    counts = np.diff(bounds)[pieces.old]
    total = np.append(0, np.cumsum(counts))
    rows = np.arange(total[-1]) - np.repeat(total[:-1] - bounds[pieces.old], counts)
    return template.groups[rows], template.group_words[rows], total[pieces.bounds]


def _narrow(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    return numbers.astype(np.int32)
