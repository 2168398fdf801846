"""What one unit contributes to a metrics query, by group and step; independent of the query's window, so kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from vivace.backend.query.expression import Evaluation
from vivace.backend.query.fields import Frame
from vivace.backend.query.metrics.bounds import MOST_GROUPS, check_groups
from vivace.backend.query.metrics.codes import Codes, Label, codes
from vivace.backend.query.metrics.numbers import EXPONENTS, HISTOGRAMS, UNUSED, Floats, exponents, numbers
from vivace.backend.query.metrics.timeline import Steps
from vivace.backend.query.value import Array, Mask, Rows
from vivace.traceql.tree import MetricsAggregate

Labels = tuple[Label, ...]

_DENSE: Final = 1 << 16
"""So many cells may be counted in an array, however few the spans; beyond four for each span they are sorted."""
_LABEL_BYTES: Final = 250


@dataclass(frozen=True, slots=True)
class Partial:
    """Cells of (group, step): how many spans, and for aggregates of a field the figures of its values.

    `labels` has one tuple per group. Histograms have a cell per exponent, other aggregates leave it 0. `example` is the
    row of one of a cell's spans: the last, which is of the trace with the highest ID; of an extreme one that has it.
    """

    labels: tuple[Labels, ...]
    group: Rows
    bucket: Rows
    exponent: Rows
    figures: Mapping[str, Floats]
    example: Rows
    durations: bool = False

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        arrays = (self.group, self.bucket, self.exponent, self.example, *self.figures.values())
        return sum(array.nbytes for array in arrays) + _LABEL_BYTES * len(self.labels)


@dataclass(frozen=True, slots=True)
class Counted:
    """Spans that count, their steps, and their groups by each field of by().

    Histograms also need the exponents of the field's values, and aggregates of numbers the values.
    """

    frame: Frame
    steps: Steps
    groups: Sequence[tuple[Codes, npt.NDArray[np.int32]]] = ()
    values: Array | None = None
    exponent: Array | None = None
    durations: bool = False

    def within(self, mask: Mask) -> Counted:
        """Those for which the mask is true."""
        return self if mask.all() else replace(self, frame=self.frame.within(mask), steps=self.steps.within(mask))


@dataclass(frozen=True, slots=True)
class _Cells:
    """A number for every span's cell, and by number the key of group, step and exponent, ascending.

    Where cells are counted in an array, some numbers stand for no span.
    """

    of: Rows
    key: Rows


def partial(frame: Frame, steps: Steps, aggregate: MetricsAggregate, evaluation: Evaluation) -> Partial:
    """The contribution of some spans, of which the steps are known."""
    spans = _measured(Counted(frame, steps), aggregate, evaluation)
    grouped = [codes(field, evaluation, frame.view) for field in aggregate.by]
    evaluation.check()
    return counted(replace(spans, groups=[(one, one.of(spans.frame)) for one in grouped]), aggregate.function)


def counted(spans: Counted, function: str, most: int = MOST_GROUPS) -> Partial:
    """The contribution of spans of which all is known. TooManyGroups beyond `most` groups."""
    width = 1 if spans.exponent is None else EXPONENTS
    span = max(1, len(spans.steps.number)) * width
    cells = _cells(spans, span)
    count = np.bincount(cells.of, minlength=len(cells.key))
    there = np.flatnonzero(count)
    figures: dict[str, Floats] = {"count": count[there].astype(np.float64)}
    example = np.empty(len(cells.key), np.int64)
    example[cells.of] = np.arange(len(spans.frame))
    if spans.values is not None:
        figures |= _figures(function, cells, spans.values, there, example)
    example, key = example[there], cells.key[there]
    group, first = _distinct(key // span)
    check_groups(len(first), most)
    labels = _labels(spans.groups, example[first])
    step, power = np.divmod(key % span, width)
    rows = example if spans.frame.rows is None else spans.frame.rows[example]
    return Partial(labels, group, spans.steps.number[step], power, figures, rows, spans.durations)


def _measured(spans: Counted, aggregate: MetricsAggregate, evaluation: Evaluation) -> Counted:
    """Those that have a number, and as the aggregate needs it the number or its exponent."""
    if aggregate.field is None:
        return spans
    if aggregate.function in HISTOGRAMS:
        exponent, durations = exponents(aggregate.field, evaluation, spans.frame)
        used = exponent != UNUSED
        return replace(spans.within(used), exponent=exponent[used], durations=durations)
    values, there, durations = numbers(aggregate.field, evaluation, spans.frame)
    if there is None or there.all():
        return replace(spans, values=values, durations=durations)
    return replace(spans.within(there), values=values[there], durations=durations)


def _group(spans: Counted) -> Rows | None:
    """The number of every span's group; None when all are in one."""
    group: Rows | None = None
    groups = 1
    for one, mine in spans.groups:
        group = mine.astype(np.int64) if group is None else group * len(one) + mine
        groups *= len(one)
        if groups > max(_DENSE, 4 * len(mine)):
            distinct, group = np.unique(group, return_inverse=True)
            groups = len(distinct)
    return group


def _cells(spans: Counted, span: int) -> _Cells:
    group, offset = _group(spans), spans.steps.offset
    step = offset if spans.exponent is None else offset * np.int64(EXPONENTS) + spans.exponent
    cell = step.astype(np.int64, copy=False) if group is None else group * span + step
    most = int(cell.max(initial=-1)) + 1
    if most <= max(_DENSE, 4 * len(cell)):
        return _Cells(cell, np.arange(most))
    key, of = np.unique(cell, return_inverse=True)
    return _Cells(of, key)


def _figures(function: str, cells: _Cells, values: Array, there: Rows, example: Rows) -> dict[str, Floats]:
    """The sum, or the extreme; then the example of a cell is a span that has it."""
    if function in ("sum_over_time", "avg_over_time"):
        return {"sum": np.bincount(cells.of, values, len(cells.key))[there].astype(np.float64)}
    least = function == "min_over_time"
    values = values.astype(np.float64, copy=False)
    extreme = np.full(len(cells.key), math.inf if least else -math.inf)
    (np.minimum if least else np.maximum).at(extreme, cells.of, values)
    having = np.flatnonzero(extreme[cells.of] == values)
    example[cells.of[having]] = having
    return {"extreme": extreme[there]}


def _distinct(ascending: Rows) -> tuple[Rows, Rows]:
    """Numbers from 0 on instead of ascending ones, and the first place of each."""
    changes = np.append(True, ascending[1:] != ascending[:-1])[: len(ascending)]
    return np.cumsum(changes) - 1, np.flatnonzero(changes)


def _labels(groups: Sequence[tuple[Codes, npt.NDArray[np.int32]]], places: Rows) -> tuple[Labels, ...]:
    """The labels of groups of which a span each is at these places."""
    if not groups:
        return ((),) * len(places)
    return tuple(zip(*(one.labels(of[places].astype(np.int64)) for one, of in groups), strict=True))
