"""How the spans of a unit hang together: parents, depths and nested-set numbers, for whole units at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vivace.backend.query.value import Mask, Rows
from vivace.backend.query.view import View
from vivace.backend.store.distinct import distinct_numbers

Words = npt.NDArray[np.uint64]

ROOT: Final = -1
UNCONNECTED: Final = -2
_MANY: Final = 4
"""From one in so many spans on, the parents of all are found, and kept."""
_SAME: Final = 4
"""So many spans with the same ID are looked at one after the other."""
_DEEP: Final = 32
"""So many levels are climbed one after the other."""
_MIX: Final = np.uint64(0x9E37_79B9_7F4A_7C15)


def parents(view: View) -> Rows:
    """The row of every span's parent; ROOT where it has none, UNCONNECTED where no root can be reached."""
    return view.remember("parents", lambda: _connected(_linked(view)), lambda rows: rows.nbytes)


def parents_in(view: View, traces: Rows) -> Rows:
    """The same as far as some traces go, which are ascending; UNCONNECTED in all others."""
    first, count = (view.index("traces", name)[traces] for name in ("first", "count"))
    if int(count.sum()) * _MANY > view.rows("spans"):
        return parents(view)
    rows = ranges(first, count)
    linked = _linked(view, rows)
    local = _connected(np.where(linked >= 0, np.searchsorted(rows, linked), linked))
    found = np.full(view.rows("spans"), UNCONNECTED)
    found[rows] = np.where(local >= 0, rows[np.maximum(local, 0)], local)
    return found


def children(view: View) -> Rows:
    """How many children every span has."""
    return view.remember("children", lambda: _children(view), lambda counts: counts.nbytes)


def _children(view: View) -> Rows:
    linked = _linked(view)
    return np.bincount(linked[linked >= 0], minlength=len(linked)).astype(np.int64)


def _linked(view: View, only: Rows | None = None) -> Rows:
    """Parent rows by ID alone: UNCONNECTED where the trace has no span with the parent's ID.

    Trace and ID are mixed into one word, by which spans and wanted parents are sorted and merged. What has the same
    word is looked at one after the other, since different spans may; of spans with the same ID the first is the parent.
    With `only` there are entries for these rows alone; they are those of whole traces.
    """
    trace = view.index("spans", "trace")
    identity, parent = view.words("spans", "span_id"), view.words("spans", "parent_id")
    if only is not None:
        trace, identity, parent = trace[only], identity[only], parent[only]
    trace = trace.astype(np.uint64)
    rows = np.where(parent == 0, ROOT, UNCONNECTED).astype(np.int64)
    keys, wanted = identity ^ (trace * _MIX), np.flatnonzero(parent != 0)
    order = np.argsort(keys)
    sought = parent[wanted] ^ (trace[wanted] * _MIX)
    by_key = np.argsort(sought)
    wanted, sought = wanted[by_key], sought[by_key]
    ordered = keys[order]
    place = np.searchsorted(ordered, sought)
    for _ in range(_SAME):
        there = place < len(order)
        there[there] = ordered[place[there]] == sought[there]
        wanted, sought, place = wanted[there], sought[there], place[there]
        candidate = order[place]
        same = (identity[candidate] == parent[wanted]) & (trace[candidate] == trace[wanted])
        better = same & ((rows[wanted] < 0) | (candidate < rows[wanted]))
        rows[wanted[better]] = candidate[better]
        place = place + 1
    if len(wanted):
        rows[wanted] = _first_with(trace, identity, trace[wanted], parent[wanted])
    return rows if only is None else np.where(rows >= 0, only[np.maximum(rows, 0)], rows)


def _first_with(trace: Rows, identity: Words, of: Rows, sought: Words) -> Rows:
    """The first row with each trace and ID, UNCONNECTED for none; for when very many have the same."""
    traces, words = np.concatenate([trace, of]), np.concatenate([identity, sought])
    order = np.lexsort((words, traces))
    new = np.append(True, (words[order][1:] != words[order][:-1]) | (traces[order][1:] != traces[order][:-1]))
    first = np.empty(len(order), np.int64)
    first[order] = order[np.flatnonzero(new)][np.cumsum(new) - 1]
    found = first[len(trace) :]
    return np.where(found < len(trace), found, UNCONNECTED)


def _connected(linked: Rows) -> Rows:
    """Without those from which no root is reached. Jumps double, so that deep trees and circles take few rounds."""
    end = linked.copy()
    open_rows = np.flatnonzero(end >= 0)
    for _ in range(len(linked).bit_length()):
        end[open_rows] = end[end[open_rows]]
        open_rows = open_rows[end[open_rows] >= 0]
    return np.where(end == ROOT, linked, UNCONNECTED)


@dataclass(frozen=True, slots=True)
class NestedSet:
    """Per span: left and right bounds and the parent's left; a root's parent is -1, all are 0 where unconnected."""

    left: Rows
    right: Rows
    parent: Rows

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return self.left.nbytes + self.right.nbytes + self.parent.nbytes


def nested_set(view: View) -> NestedSet:
    """The nested-set model of every trace, numbered from 1, siblings in the order of their start."""
    return view.remember("nested set", lambda: _nested_set(view), lambda numbers: numbers.nbytes)


def _nested_set(view: View) -> NestedSet:
    parent = parents(view)
    levels = _levels(parent)
    size = np.where(parent == UNCONNECTED, 0, 1)
    for level in reversed(levels[1:]):
        np.add.at(size, parent[level], size[level])
    before = _sizes_of_earlier_siblings(view, parent, size)
    left = np.zeros_like(parent)
    for depth, level in enumerate(levels):
        left[level] = (left[parent[level]] if depth else 0) + 1 + 2 * before[level]
    connected = parent != UNCONNECTED
    right = np.where(connected, left + 2 * size - 1, 0)
    above = np.where(parent >= 0, left[np.maximum(parent, 0)], np.where(parent == ROOT, -1, 0))
    return NestedSet(left, right, above)


def ranges(first: Rows, count: Rows) -> Rows:
    """The numbers of all ranges, one after another."""
    starts = np.repeat(first - (np.cumsum(count) - count), count)
    return starts + np.arange(len(starts))


def _levels(parent: Rows) -> list[Rows]:
    """The rows of each depth, from the roots down."""
    depth, jump = np.where(parent >= 0, 1, 0), parent.copy()
    open_rows = np.flatnonzero(jump >= 0)
    while open_rows.size:
        at = jump[open_rows]
        depth[open_rows] += depth[at]
        jump[open_rows] = jump[at]
        open_rows = open_rows[jump[open_rows] >= 0]
    connected = np.flatnonzero(parent != UNCONNECTED)
    order = connected[np.argsort(depth[connected], kind="stable")]
    return np.split(order, np.flatnonzero(np.diff(depth[order])) + 1)


def _sizes_of_earlier_siblings(view: View, parent: Rows, size: Rows) -> Rows:
    """The sum of the subtree sizes of the siblings that start before; the roots of a trace count as siblings."""
    family = np.where(parent >= 0, parent, len(parent) + view.index("spans", "trace"))
    order = np.argsort(family, kind="stable")
    total = np.cumsum(size[order]) - size[order]
    first = np.ones(len(order), np.bool_)
    first[1:] = family[order][1:] != family[order][:-1]
    base = np.repeat(total[first], np.diff(np.append(np.flatnonzero(first), len(order))))
    before = np.empty_like(size)
    before[order] = total - base
    return before


def descendants(parent: Rows, above: Mask, rows: Rows) -> Mask:
    """Which of the rows have a span of `above` among their ancestors."""
    found = np.zeros(len(rows), np.bool_)
    current = parent[rows]
    alive = np.flatnonzero(current >= 0)
    for _ in range(_DEEP):
        at = current[alive]
        hit = above[at]
        found[alive[hit]] = True
        alive = alive[~hit]
        current[alive] = parent[current[alive]]
        alive = alive[current[alive] >= 0]
    if alive.size:
        below = _below(parent, above)
        found[alive] = above[current[alive]] | below[current[alive]]
    return found


def _below(parent: Rows, above: Mask) -> Mask:
    """The same for all rows, with jumps that double: for deep trees."""
    jump = parent.copy()
    open_rows = np.flatnonzero(jump >= 0)
    found = np.zeros(len(parent), np.bool_)
    found[open_rows] = above[jump[open_rows]]
    while open_rows.size:
        at = jump[open_rows]
        found[open_rows] |= found[at]
        jump[open_rows] = jump[at]
        open_rows = open_rows[jump[open_rows] >= 0]
    return found


def ancestors(parent: Rows, below: Rows, rows: int) -> Mask:
    """Which of all rows have one of the spans `below` among their descendants."""
    found = np.zeros(rows, np.bool_)
    current = parent[below]
    current = distinct_numbers(current[current >= 0])
    for _ in range(_DEEP):
        current = current[~found[current]]
        found[current] = True
        current = parent[current]
        current = distinct_numbers(current[current >= 0])
    return found | _above(parent, current) if current.size else found


def _above(parent: Rows, below: Rows) -> Mask:
    """The spans `below` and all above them, with jumps that double: for deep trees."""
    found = np.zeros(len(parent), np.bool_)
    found[below] = True
    jump = parent.copy()
    open_rows = np.flatnonzero(jump >= 0)
    while open_rows.size:
        found[jump[open_rows[found[open_rows]]]] = True
        jump[open_rows] = jump[jump[open_rows]]
        open_rows = open_rows[jump[open_rows] >= 0]
    return found
