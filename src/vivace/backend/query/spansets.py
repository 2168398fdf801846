"""Spansets of a whole unit at once: for each the trace it is of, its spans, and what stages computed of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vivace.backend.query.value import Mask, Part, Rows
from vivace.backend.query.view import View


@dataclass(frozen=True, slots=True)
class Computed:
    """What a stage computed of every spanset, by the name under which answers show it."""

    name: str
    parts: tuple[Part, ...]

    def take(self, sets: Rows) -> Computed:
        """The same of some spansets."""
        return Computed(self.name, tuple(part.take(sets) for part in self.parts))


@dataclass(frozen=True, slots=True)
class Spansets:
    """`rows` are span rows, `of` the spanset of each (ascending); `trace` is each spanset's row in `traces`.

    `source` is the spanset of the stage's input that each came from. `rows` None stands for every span.
    """

    rows: Rows | None
    of: Rows
    trace: Rows
    source: Rows
    computed: tuple[Computed, ...] = ()

    def __len__(self) -> int:
        return len(self.trace)

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        held = 0 if self.rows is None else self.rows.nbytes
        return held + self.of.nbytes + self.trace.nbytes + self.source.nbytes

    @property
    def first(self) -> Rows:
        """Where each spanset's spans begin in `rows`, and where the last one's end."""
        return np.searchsorted(self.of, np.arange(len(self.trace) + 1))

    def span_rows(self) -> Rows:
        """The span rows, also when they are all."""
        return np.arange(len(self.of)) if self.rows is None else self.rows

    def where(self, mask: Mask) -> Spansets:
        """Only the spans for which the mask is true; spansets that become empty go."""
        if mask.all():
            return replace(self, source=np.arange(len(self)))
        places = np.flatnonzero(mask)
        rows = places if self.rows is None else self.rows[places]
        return self.regrouped(rows, self.of[places])

    def regrouped(self, rows: Rows, of: Rows) -> Spansets:
        """Spansets of these spans; `of` tells from which of the present ones each is, ascending."""
        kept, numbers = _numbered(of)
        computed = tuple(one.take(kept) for one in self.computed)
        return Spansets(rows, numbers, self.trace[kept], kept, computed)

    def only(self, sets: Mask) -> Spansets:
        """Only some of the spansets."""
        return self.where(sets[self.of])

    def followed(self, next_sets: Spansets) -> Spansets:
        """What a later stage made of these, with its sources traced back through these."""
        return replace(next_sets, source=self.source[next_sets.source])


def whole(view: View) -> Spansets:
    """Every trace of a unit as one spanset."""
    traces = np.arange(view.rows("traces"))
    return Spansets(None, view.index("spans", "trace"), traces, traces)


def _numbered(ascending: Rows) -> tuple[Rows, Rows]:
    """The distinct numbers, and for each entry the place of its number among them."""
    if not len(ascending):
        return ascending, ascending
    changes = np.append(True, ascending[1:] != ascending[:-1])
    return ascending[changes], np.cumsum(changes) - 1
