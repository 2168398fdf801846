"""Which random word each ID of a template is overwritten with, so that equal IDs stay equal and others differ.

Templates made here say it themselves: each 8-byte word of an ID holds its group and its slot (`marked_words`). In OTLP
bytes of any other origin the groups are what shares no trace with the rest, and equal words get equal slots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vivace.telemetry.arrays import Numbers, Words

OWN_GROUPS: Final = 1 << 30
"""From here on are the groups of IDs that no template of traces has: of metrics and logs that refer to other traces."""
MOST_WORDS: Final = 1 << 24
"""So many random words a group has at most that metrics and logs refer to."""


@dataclass(frozen=True, slots=True)
class References:
    """The IDs that stand in a template. `*_entry` is the top-level entry that holds each, counted from 0."""

    trace_high: Words
    """First 8 bytes of each trace ID: those of spans first, then those that only refer to a trace."""
    trace_low: Words
    trace_entry: Numbers
    own: int
    """How many of the trace IDs are spans' own."""
    span: Words
    span_entry: Numbers
    entries: int
    first: int = 0
    """The group of the first entry, where the words say groups."""


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of the references, and of which group each entry is."""

    trace: Numbers
    """Slot of each trace ID's first word; the second word has the next slot."""
    span: Numbers
    group: Numbers
    """By entry; starts at 0 and grows by at most 1."""
    traces: Numbers
    """By group."""
    words: Numbers
    """By group."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The IDs of spans, as words."""

    trace: Words
    """(spans, 2)"""
    span: Words


def marked_words(group: npt.ArrayLike, slot: npt.ArrayLike) -> Words:
    """The words that a template made here has for IDs: never zero, and unique in the template."""
    return ((np.asarray(group, np.int64) + 1 << 32) | (np.asarray(slot, np.int64) + 1)).astype(np.uint64)


def marked_group(words: Words) -> Numbers:
    """The groups that `marked_words` wrote into words; of other words anything."""
    return _unmark(words)[0]


def assign(references: References) -> Slots:
    """Slots as the words say, or else found by comparing the words."""
    return _marked(references) or _compared(references)


def _marked(references: References) -> Slots | None:
    """Slots as `marked_words` wrote them; None when the words were not written by it."""
    high, low, span = (
        _unmark(words, references.first) for words in (references.trace_high, references.trace_low, references.span)
    )
    entry = np.concatenate([references.trace_entry, references.span_entry])
    said = np.concatenate([high[0], span[0]])
    group = np.full(references.entries, -1)
    group[entry] = said
    if not (
        np.array_equal(group[entry], said)
        and np.array_equal(high[0], low[0])
        and np.array_equal(high[1] + 1, low[1])
        and not (high[1] & 1).any()
        and _consecutive(group)
    ):
        return None
    traces, words = np.zeros(group[-1] + 1, np.int64), np.zeros(group[-1] + 1, np.int64)
    np.maximum.at(traces, high[0], high[1] // 2 + 1)
    np.maximum.at(words, said, np.concatenate([low[1], span[1]]) + 1)
    if (span[1] < 2 * traces[span[0]]).any() or (words > 1 << 31).any():
        return None
    return Slots(high[1], span[1], group, traces, words)


def _unmark(words: Words, first: int = 0) -> tuple[Numbers, Numbers]:
    """Groups, counted from the first, and slots."""
    return (words >> np.uint64(32)).astype(np.int64) - 1 - first, (words & np.uint64(0xFFFF_FFFF)).astype(np.int64) - 1


def _consecutive(group: Numbers) -> bool:
    steps = np.diff(group)
    return bool(group[0] == 0 and ((steps == 0) | (steps == 1)).all())


def _compared(references: References) -> Slots:
    """Slots by comparison: a group's own traces, then its spans, then traces that are only referred to."""
    group = _groups(references)
    groups = int(group[-1]) + 1
    trace_group, span_group = group[references.trace_entry], group[references.span_entry]
    same = _dense(trace_group, references.trace_high, references.trace_low)
    foreign = np.ones(same.max(initial=-1) + 1, np.int64)
    foreign[same[: references.own]] = 0
    trace, traces = _local(_dense(trace_group, foreign[same], same), trace_group, groups)
    own = np.bincount(trace_group[: references.own][_first_of(trace[: references.own], trace_group)], minlength=groups)
    span, spans = _local(_dense(span_group, references.span), span_group, groups)
    slot = 2 * trace + np.where(trace < own[trace_group], 0, spans[trace_group])
    return Slots(slot, span + 2 * own[span_group], group, own, 2 * traces + spans)


def _first_of(trace: Numbers, group: Numbers) -> Numbers:
    """Rows of which each (group, trace) is met for the first time."""
    return np.unique(_dense(group[: trace.size], trace), return_index=True)[1]


def _groups(references: References) -> Numbers:
    """By entry: a new group starts where no trace has spans both before and from there on."""
    entry = references.trace_entry[: references.own]
    trace = _dense(references.trace_high[: references.own], references.trace_low[: references.own])
    first = np.full(trace.max() + 1, references.entries)
    last = np.zeros(trace.max() + 1, np.int64)
    np.minimum.at(first, trace, entry)
    np.maximum.at(last, trace, entry)
    across = np.zeros(references.entries + 1, np.int64)
    np.add.at(across, first + 1, 1)
    np.add.at(across, last + 1, -1)
    starts = np.cumsum(across)[: references.entries] == 0
    starts &= np.bincount(entry, minlength=references.entries) > 0
    starts[: entry.min() + 1] = False
    return np.cumsum(starts)


def _dense(*keys: npt.NDArray[np.generic]) -> Numbers:
    """Numbers the distinct rows from 0 in the order of the keys, the first key first."""
    order = np.lexsort(keys[::-1])
    changed = np.zeros(order.size, np.int64)
    for key in keys:
        ordered = key[order]
        changed[1:] |= ordered[1:] != ordered[:-1]
    number = np.empty(order.size, np.int64)
    number[order] = np.cumsum(changed)
    return number


def _local(number: Numbers, group: Numbers, groups: int) -> tuple[Numbers, Numbers]:
    """Numbers that run through all groups in order -> numbers within the group, and how many each group has."""
    last = np.full(groups, -1)
    np.maximum.at(last, group, number)
    last = np.maximum.accumulate(last)
    counts = np.diff(last, prepend=-1)
    return number - (last - counts + 1)[group], counts


@dataclass(frozen=True, slots=True)
class Mentions:
    """The IDs in metrics or logs, by the request that holds each; requests count from 0."""

    trace_high: Words
    trace_low: Words
    trace_request: Numbers
    span: Words
    span_request: Numbers
    requests: int


@dataclass(frozen=True, slots=True)
class MentionSlots:
    """The slots of the mentions, and the groups that each request draws from, in ascending order."""

    trace: Numbers
    """Slot of each trace ID's first word among all words of its request; the second word has the next slot."""
    span: Numbers
    groups: Numbers
    words: Numbers
    """By row of `groups`."""
    bounds: Numbers
    """Request j has the groups bounds[j] to bounds[j+1]."""


def assign_mentions(mentions: Mentions) -> MentionSlots:
    """Groups and slots as the words say; or else equal IDs of one request get equal slots of a group of its own."""
    (trace_group, trace), (span_group, span) = _said(mentions) or _found(mentions)
    request = np.concatenate([mentions.trace_request, mentions.span_request])
    key = request << 32 | np.concatenate([trace_group, span_group])
    rows, row = np.unique(key, return_inverse=True)
    words = np.zeros(rows.size, np.int64)
    np.maximum.at(words, row, np.concatenate([trace + 2, span + 1]))
    bounds = np.searchsorted(rows >> 32, np.arange(mentions.requests + 1))
    before = np.cumsum(words) - words
    base = before - np.append(before, 0)[bounds[:-1]][rows >> 32]
    slot = np.concatenate([trace, span]) + base[row]
    return MentionSlots(slot[: trace.size], slot[trace.size :], rows & 0xFFFF_FFFF, words, bounds)


_Places = tuple[Numbers, Numbers]
"""Groups and slots in them."""


def _said(mentions: Mentions) -> tuple[_Places, _Places] | None:
    """Groups and slots as `marked_words` wrote them; None when the words were not written by it."""
    high, low, span = (_unmark(words) for words in (mentions.trace_high, mentions.trace_low, mentions.span))
    group, slot = (np.concatenate([high[part], span[part]]) for part in range(2))
    if (
        not np.array_equal(high[0], low[0])
        or not np.array_equal(high[1] + 1, low[1])
        or group.min(initial=0) < 0
        or slot.min(initial=0) < 0
        or slot.max(initial=0) >= MOST_WORDS
    ):
        return None
    return high, span


def _found(mentions: Mentions) -> tuple[_Places, _Places]:
    """A group for each request, its traces' words before its spans'."""
    trace, traces = _local(
        _dense(mentions.trace_request, mentions.trace_high, mentions.trace_low),
        mentions.trace_request,
        mentions.requests,
    )
    span, _ = _local(_dense(mentions.span_request, mentions.span), mentions.span_request, mentions.requests)
    trace_places = (OWN_GROUPS + mentions.trace_request, 2 * trace)
    return trace_places, (OWN_GROUPS + mentions.span_request, 2 * traces[mentions.span_request] + span)
