"""Aggregates of spansets: count, min, max, sum and avg over the spans that have a number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vivace.backend.query.expression import Evaluation
from vivace.backend.query.fields import Frame
from vivace.backend.query.grouping import columns
from vivace.backend.query.spansets import Spansets
from vivace.backend.query.value import NUMBERS, Array, Column, Mask, Part, Rows, Type
from vivace.backend.query.view import View
from vivace.traceql.tree import Aggregate


def aggregate(stage: Aggregate, base: Spansets, view: View, evaluation: Evaluation) -> tuple[Part, ...]:
    """An aggregate of every spanset, over those of its spans that have a number; nil without any."""
    if stage.expression is None:
        return (Column(Type.INT, np.bincount(base.of, minlength=len(base)).astype(np.int64)),)
    value = evaluation.value(stage.expression, Frame(view, "spans", base.rows))
    numbers = [p for p in columns(value, len(base.of)) if isinstance(p, Column) and p.type in NUMBERS and p.known.any()]
    if not numbers:
        return ()
    kind = numbers[0].type if len({part.type for part in numbers}) == 1 else Type.FLOAT
    data, known = _united(numbers, kind)
    return (_reduced(stage.function, data[known], base.of[known], len(base), kind),)


def _united(numbers: Sequence[Column], kind: Type) -> tuple[Array, Mask]:
    data = np.zeros(len(numbers[0]), np.float64 if kind is Type.FLOAT else np.int64)
    known = np.zeros(len(data), np.bool_)
    for part in numbers:
        data[part.known] = part.data[part.known]
        known |= part.known
    return data, known


def _reduced(function: str, data: Array, of: Rows, sets: int, kind: Type) -> Column:
    counts = np.bincount(of, minlength=sets)
    there = counts > 0
    result = np.zeros(sets, data.dtype)
    if len(data):
        operation = {"min": np.minimum, "max": np.maximum}.get(function, np.add)
        result[there] = operation.reduceat(data, (np.cumsum(counts) - counts)[there])
    if function != "avg":
        return Column(kind, result, there)
    mean = np.divide(result, counts, out=np.zeros(sets), where=there)
    return (
        Column(Type.DURATION, mean.astype(np.int64), there)
        if kind is Type.DURATION
        else Column(Type.FLOAT, mean, there)
    )
