"""Spans counted by the value of a field and by step, those that are selected apart from the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vivace.backend.query.metrics.bounds import check_groups
from vivace.backend.query.metrics.codes import Codes, Label, grouped
from vivace.backend.query.metrics.partial import Partial
from vivace.backend.query.metrics.timeline import Steps
from vivace.backend.query.value import Column, Mask, Part, Rows, Type
from vivace.backend.store.distinct import distinct_numbers

_DENSE: Final = 1 << 16
"""So many cells may be counted in an array, however few the spans; beyond four for each span they are sorted."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many spans there are of each group and step; a cell may be there several times."""

    groups: Codes
    group: Rows
    bucket: Rows
    spans: Rows

    def by_value(self, most: int) -> Partial:
        """By group. TooManyGroups beyond `most` of them."""
        present = distinct_numbers(self.group)
        check_groups(len(present), most)
        labels: tuple[tuple[Label, ...], ...] = tuple((label,) for label in self.groups.labels(present))
        return self._partial(labels, np.searchsorted(present, self.group))

    def regrouped(self, groups: Codes) -> Tally:
        """By groups of what it is grouped by; without what has no value there."""
        group = groups.code[self.group]
        there = groups.known[group]
        return Tally(groups, group[there].astype(np.int64), self.bucket[there], self.spans[there])

    def in_all(self) -> Partial:
        """All groups as one."""
        return self._partial(((),), np.zeros_like(self.group))

    def _partial(self, labels: tuple[tuple[Label, ...], ...], group: Rows) -> Partial:
        none = np.zeros_like(group)
        return Partial(labels, group, self.bucket, none, {"count": self.spans.astype(np.float64)}, none)


def tallied(groups: Codes, code: Rows | npt.NDArray[np.int32], steps: Steps, chosen: Mask) -> tuple[Tally, Tally]:
    """Spans by their groups: those that are chosen, and the others."""
    width = max(1, len(steps.number))
    size = max(1, len(groups) * width)
    cell = code * np.int64(width) + steps.offset
    cell[chosen] += size
    cells, spans = _counted(cell, 2 * size)
    group, step = np.divmod(cells % size, width)
    bucket = steps.number[step]
    first = int(np.searchsorted(cells, size))
    others, selected = (Tally(groups, group[part], bucket[part], spans[part]) for part in np.s_[:first, first:])
    return selected, others


def rows_of(table: str, rows: int) -> Codes:
    """Every row of a table as a group of its own."""
    return Codes(table, np.arange(rows, dtype=np.int32), (), np.ones(rows, np.bool_))


def _counted(cell: Rows, cells: int) -> tuple[Rows, Rows]:
    """The cells that occur, ascending, and how often each does."""
    if cells > max(_DENSE, 4 * len(cell)):
        ordered = np.sort(cell)
        first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
        return ordered[first], np.diff(np.append(first, len(ordered)))
    spans = np.bincount(cell, minlength=cells)
    there = np.flatnonzero(spans)
    return there, spans[there]


def values_of(parts: Sequence[Part], rows: int) -> Codes:
    """The groups of values; of one column of strings they are its strings."""
    present = [part for part in parts if part.known.any()]
    if len(present) != 1 or not isinstance(part := present[0], Column) or part.type is not Type.STRING:
        return grouped(parts, rows)
    words = np.arange(0 if part.words is None else len(part.words), dtype=np.int32)
    every = Column(Type.STRING, words, None, part.words)
    return Codes("spans", part.data.astype(np.int32, copy=False), (every,), np.ones(len(words), np.bool_))


_NONE: Final = np.zeros(0, np.int64)
NOTHING: Final = Tally(rows_of("spans", 0), _NONE, _NONE, _NONE)
