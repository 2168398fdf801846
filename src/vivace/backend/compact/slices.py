"""Several blocks -> tables of a range of trace IDs at a time, so that merging them takes little memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np

from vivace.backend.compact.input import SLICED, Input, Rows
from vivace.backend.store.choice import LEAST_COLUMNS, worth_a_column
from vivace.backend.store.distinct import distinct_numbers
from vivace.backend.store.tables import Tables


@dataclass(frozen=True, slots=True)
class Slices:
    """How the traces of blocks are cut: those from bounds[i][n] to bounds[i][n + 1] of input i are in slice n."""

    inputs: Sequence[Input]
    bounds: Sequence[Rows]

    @classmethod
    def of(cls, inputs: Sequence[Input], rows: int) -> Slices:
        """Slices of so many rows and the rest of a trace; a trace is whole in one slice. There is one at least."""
        high, low = (np.concatenate([one.traces.column(name).to_numpy() for one in inputs]) for name in _TRACE_ID)
        order = np.lexsort((low, high))
        high, low = high[order], low[order]
        place = np.arange(len(order))
        begins = np.ones(len(order), np.bool_)
        begins[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
        weights = np.concatenate([one.weights for one in inputs])[order]
        before = (np.cumsum(weights) - weights)[np.maximum.accumulate(np.where(begins, place, 0))]
        number = np.empty(len(order), np.int64)
        number[order] = before // rows
        slices = distinct_numbers(np.append(number, 0))
        parts = np.split(number, np.cumsum([one.traces.num_rows for one in inputs])[:-1])
        return cls(inputs, [np.append(np.searchsorted(part, slices), len(part)) for part in parts])

    def parts(self, columns: Mapping[str, frozenset[str]]) -> Iterator[list[Tables]]:
        """The parts of each slice, one for each input."""
        for number in range(len(self.bounds[0]) - 1):
            yield [
                one.part(int(bounds[number]), int(bounds[number + 1]), columns)
                for one, bounds in zip(self.inputs, self.bounds, strict=True)
            ]


def kept_columns(inputs: Sequence[Input], rows: int, limit: int) -> Mapping[str, frozenset[str]]:
    """By table, the attribute columns of the merged block: those that slices of so many rows would choose."""
    return {table: _kept(table, inputs, rows, limit) for table in SLICED}


def _kept(table: str, inputs: Sequence[Input], rows: int, limit: int) -> frozenset[str]:
    names = sorted(frozenset[str]().union(*(one.names(table) for one in inputs)))
    if len(names) <= min(LEAST_COLUMNS, limit):
        return frozenset(names)
    share = min(1.0, rows / max(1, sum(one.rows(table) for one in inputs)))
    filled = np.array([sum(one.filled(table, name) for one in inputs) for name in names])
    worth = worth_a_column((filled * share).astype(np.int64), rows, limit)
    return frozenset(compress(names, worth))


_TRACE_ID = ("trace_hi", "trace_lo")
