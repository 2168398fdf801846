"""Where in a unit a trace lies, by its ID; and the rows of other tables that belong to its spans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa

from vivace.backend.query.view import View

_AT_ONCE: Final = 4096
_HALF: Final = 0xFFFF_FFFF_FFFF_FFFF


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of a trace that one unit holds: its row in `traces`, and its contiguous rows in `spans`."""

    view: View
    trace: int
    first: int
    count: int

    def parts(self) -> Iterator[Piece]:
        """The same in pieces of so many spans as are rebuilt at once."""
        for start in range(0, self.count, _AT_ONCE):
            yield replace(self, first=self.first + start, count=min(_AT_ONCE, self.count - start))

    def spans(self) -> pa.RecordBatch:
        """Its spans, all columns that have a value there."""
        return self.view.slice("spans", self.first, self.count)

    def children(self, table: str) -> tuple[pa.RecordBatch, int]:
        """Its events or links, and the row of the first."""
        owner = self.view.index(table, "span")
        start, stop = np.searchsorted(owner, [self.first, self.first + self.count])
        return self.view.slice(table, int(start), int(stop - start)), int(start)


def find_trace(view: View, trace_id: int) -> Piece | None:
    """The part of a trace that a unit holds; IDs are ordered, so this is two binary searches."""
    high, low = np.uint64(trace_id >> 64), np.uint64(trace_id & _HALF)
    highs, lows = view.words("traces", "trace_hi"), view.words("traces", "trace_lo")
    start, stop = np.searchsorted(highs, high, "left"), np.searchsorted(highs, high, "right")
    row = int(start + np.searchsorted(lows[start:stop], low))
    if row >= stop or lows[row] != low:
        return None
    first, count = (int(view.numbers("traces", name).data[row]) for name in ("first", "count"))
    return Piece(view, row, first, count)
