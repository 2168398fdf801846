"""Spans as examples of what series show: few, and the same each time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vivace.backend.query.expression import Evaluation
from vivace.backend.query.fields import Frame
from vivace.backend.query.metrics.numbers import SECONDS, numbers
from vivace.backend.query.metrics.partial import Partial
from vivace.backend.query.metrics.series import Exemplar, Series
from vivace.backend.query.metrics.united import United
from vivace.backend.query.value import Rows
from vivace.backend.query.view import View
from vivace.backend.store.distinct import distinct_numbers
from vivace.traceql.tree import MetricsAggregate


@dataclass(frozen=True, slots=True)
class Examples:
    """Where the spans behind a table's cells are: a partial of each view."""

    table: United
    counted: Sequence[tuple[View, Partial]]
    aggregate: MetricsAggregate
    evaluation: Evaluation

    def exemplified(self, series: Sequence[Series], most: int) -> list[Series]:
        """The series with exemplars, at most so many in all: the first series get theirs, spread evenly over time."""
        each = max(1, most // max(1, len(series)))
        chosen = [_spread(one, each) for one in series[:most]]
        cells = distinct_numbers(
            np.concatenate([np.zeros(0, np.int64), *(one.cells[at] for one, at in chosen if one.cells is not None)])
        )
        found = self._found(cells)
        return [*(_with(one, at, found) for one, at in chosen), *series[most:]]

    def _found(self, cells: Rows) -> dict[int, Exemplar]:
        """For each cell the span of the trace with the highest ID; of an extreme only those that have it."""
        found: dict[int, Exemplar] = {}
        start = 0
        for view, one in self.counted:
            cell = self.table.entry[start : start + len(one.group)]
            start += len(one.group)
            mine = np.flatnonzero(np.isin(cell, cells))
            if "extreme" in one.figures:
                mine = mine[one.figures["extreme"][mine] == self.table.figures["extreme"][cell[mine]]]
            for number, exemplar in zip(cell[mine].tolist(), self._spans(view, one.example[mine]), strict=True):
                if number not in found or found[number].trace_id < exemplar.trace_id:
                    found[number] = exemplar
        return found

    def _spans(self, view: View, rows: Rows) -> list[Exemplar]:
        trace = view.index("spans", "trace")[rows]
        high, low = (view.words("traces", name)[trace].tolist() for name in ("trace_hi", "trace_lo"))
        starts = view.numbers("spans", "start").data[rows].tolist()
        values = np.full(len(rows), np.nan)
        if self.aggregate.field is not None and len(rows):
            data, _, durations = numbers(self.aggregate.field, self.evaluation, Frame(view, "spans", rows))
            values = data * (SECONDS if durations else 1.0)
        return [
            Exemplar(first << 64 | second, value, at)
            for first, second, value, at in zip(high, low, values.tolist(), starts, strict=True)
        ]


def _spread(one: Series, most: int) -> tuple[Series, Rows]:
    """Some of the buckets that have a value and a span, evenly."""
    if one.cells is None:
        return one, np.zeros(0, np.int64)
    there = np.flatnonzero((one.cells >= 0) & ~np.isnan(one.values))
    if len(there) > most:
        there = there[(np.arange(most) * 2 + 1) * len(there) // (2 * most)]
    return one, there


def _with(one: Series, buckets: Rows, found: Mapping[int, Exemplar]) -> Series:
    """What counts has no value of its own: an exemplar lies on the line then."""
    if one.cells is None:
        return one
    exemplars = []
    for bucket in buckets.tolist():
        exemplar = found[int(one.cells[bucket])]
        value = float(one.values[bucket]) if np.isnan(exemplar.value) else exemplar.value
        exemplars.append(replace(exemplar, value=value))
    return replace(one, exemplars=tuple(exemplars))
