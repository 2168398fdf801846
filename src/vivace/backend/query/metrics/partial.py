"""What one unit contributes to a metrics query, by group and step; independent of the query's window, so kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vivace.backend.query.conditions import Conditions
from vivace.backend.query.expression import Evaluation
from vivace.backend.query.fields import Frame
from vivace.backend.query.grouping import columns, compact, group_codes
from vivace.backend.query.shown import Json, computed
from vivace.backend.query.value import NUMBERS, Column, Identifiers, Lists, Part, Rows, Type
from vivace.traceql.tree import Attribute, FieldExpression, IntrinsicField, MetricsAggregate

Floats = npt.NDArray[np.float64]
Label = tuple[str, str | int | float | bool]
"""The member of AnyValue that a label's value is, and the value."""

EXPONENTS: Final = 65
"""Buckets of a histogram: powers of two up to those of 64 bits."""
HISTOGRAMS: Final = frozenset({"quantile_over_time", "histogram_over_time"})
SECONDS: Final = 1e-9
_LEAST: Final = 2
"""Numbers below are in no bucket of a histogram."""
_MANY_STEPS: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Partial:
    """Cells of (group, step): how many spans, and for aggregates of a field the figures of its values.

    `labels` has one tuple per group. Histograms have a cell per exponent, other aggregates leave it 0.
    """

    labels: tuple[tuple[Label, ...], ...]
    group: Rows
    bucket: Rows
    exponent: Rows
    figures: Mapping[str, Floats]
    durations: bool = False

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return sum(array.nbytes for array in (self.group, self.bucket, self.exponent, *self.figures.values()))


def partial(frame: Frame, buckets: Rows, aggregate: MetricsAggregate, asked: Conditions) -> Partial:
    """The contribution of some spans, of which the bucket is known."""
    evaluation = Evaluation(asked)
    numbers = NUMBERS - {Type.FLOAT} if aggregate.function in HISTOGRAMS else NUMBERS
    values, durations = _values(aggregate.field, evaluation, frame, numbers)
    exponent = None
    if aggregate.field is not None:
        used = ~np.isnan(values) if aggregate.function not in HISTOGRAMS else values >= _LEAST
        if not used.all():
            frame, buckets, values = frame.within(used), buckets[used], values[used]
        exponent = _exponents(values) if aggregate.function in HISTOGRAMS else None
    group, labels = _groups(aggregate.by, evaluation, frame)
    cell, first = compact(_cells(group, buckets, exponent))
    figures = _figures(aggregate.function, cell, values, len(first))
    exponents = np.zeros(len(first), np.int64) if exponent is None else exponent[first]
    return Partial(labels, group[first], buckets[first], exponents, figures, durations)


def _cells(group: Rows, buckets: Rows, exponent: Rows | None) -> Rows:
    """A number for each group, step and exponent."""
    if not len(buckets):
        return buckets
    step = buckets - buckets.min()
    if int(step.max()) > _MANY_STEPS:
        step, _ = compact(buckets)
    cell = step if not group.any() else group * (int(step.max()) + 1) + step
    return cell if exponent is None else np.asarray(cell * EXPONENTS + exponent)


def _figures(function: str, cell: Rows, values: Floats, cells: int) -> dict[str, Floats]:
    count = np.bincount(cell, minlength=cells).astype(np.float64)
    if function in ("sum_over_time", "avg_over_time"):
        return {"count": count, "sum": np.bincount(cell, values, cells).astype(np.float64)}
    if function in ("min_over_time", "max_over_time"):
        least = function == "min_over_time"
        extreme = np.full(cells, math.inf if least else -math.inf)
        (np.minimum if least else np.maximum).at(extreme, cell, values)
        return {"count": count, "extreme": extreme}
    return {"count": count}


def _values(
    field: Attribute | IntrinsicField | None, evaluation: Evaluation, frame: Frame, numbers: frozenset[Type]
) -> tuple[Floats, bool]:
    """The numbers of a field, not-a-number where it has none, and whether they are durations in nanoseconds."""
    values = np.full(len(frame), np.nan)
    durations = False
    if field is not None:
        for part in columns(evaluation.value(field, frame), len(frame)):
            if isinstance(part, Column) and part.type in numbers:
                values[part.known] = part.data[part.known]
                durations = durations or part.type is Type.DURATION
    return values, durations


def _groups(
    by: Sequence[FieldExpression], evaluation: Evaluation, frame: Frame
) -> tuple[Rows, tuple[tuple[Label, ...], ...]]:
    """The number of every span's group, and the groups' labels."""
    group, first = np.zeros(len(frame), np.int64), np.zeros(min(1, len(frame)), np.int64)
    parts_of = [columns(evaluation.value(field, frame), len(frame)) for field in by]
    for place, parts in enumerate(parts_of):
        codes = group_codes(parts, len(frame))
        group, first = compact(group * (int(codes.max(initial=0)) + 2) + codes if place else codes)
    labels = tuple(tuple(_label(parts, int(row)) for parts in parts_of) for row in first)
    return group, labels


def _label(parts: Sequence[Part], row: int) -> Label:
    ((member, value),) = computed([_single(part, row) for part in parts], 0).items()
    if isinstance(value, dict):
        return member, repr(value)
    assert isinstance(value, (str, int, float, bool))  # noqa: S101 - what AnyValues of scalars hold
    return member, value


def _single(part: Column | Lists | Identifiers, row: int) -> Part:
    return part.take(np.array([row]))


def label_value(label: Label) -> Json:
    """A label's value as an AnyValue in JSON."""
    return {label[0]: label[1]}


def _exponents(values: Floats) -> Rows:
    """The exponent of the least power of two that is not below each number."""
    mantissa, exponent = np.frexp(values)
    return np.where(mantissa == 0.5, exponent - 1, exponent).astype(np.int64)
