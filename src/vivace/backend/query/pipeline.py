"""A pipeline's stages over the spansets of one unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vivace.backend.query.aggregate import aggregate
from vivace.backend.query.arithmetic import calculate
from vivace.backend.query.compare import compare
from vivace.backend.query.expression import Evaluation
from vivace.backend.query.fields import Frame
from vivace.backend.query.grouping import columns, compact, group_codes
from vivace.backend.query.spansets import Computed, Spansets, whole
from vivace.backend.query.structure import combine
from vivace.backend.query.value import Value
from vivace.backend.query.view import View
from vivace.backend.store.distinct import distinct_numbers
from vivace.traceql.text import text
from vivace.traceql.tree import (
    Aggregate,
    Coalesce,
    GroupBy,
    Pipeline,
    ScalarExpression,
    ScalarFilter,
    Select,
    SpansetFilter,
    SpansetOperation,
    Stage,
    Static,
)


def spansets(pipeline: Pipeline, view: View, evaluation: Evaluation) -> Spansets:
    """What a pipeline makes of a unit's traces; every one of them must be there whole."""
    return _pipeline(pipeline, whole(view), view, evaluation)


def _pipeline(pipeline: Pipeline, base: Spansets, view: View, evaluation: Evaluation) -> Spansets:
    current = replace(base, source=np.arange(len(base)))
    for stage in pipeline.stages:
        current = current.followed(_stage(stage, current, view, evaluation))
    return current


def _stage(stage: Stage, base: Spansets, view: View, evaluation: Evaluation) -> Spansets:
    evaluation.check()
    match stage:
        case SpansetFilter():
            made = base.where(evaluation.matching(stage.expression, Frame(view, "spans", base.rows)))
        case SpansetOperation():
            sides = _stage(stage.left, base, view, evaluation), _stage(stage.right, base, view, evaluation)
            made = combine(stage.operator, base, sides, view, evaluation.check)
        case Pipeline():
            made = _pipeline(stage, base, view, evaluation)
        case GroupBy():
            made = _grouped(stage, base, view, evaluation)
        case Coalesce():
            made = _coalesced(base)
        case ScalarFilter():
            made = _filtered(stage, base, view, evaluation)
        case Select():  # changes what answers show, nothing else
            made = replace(base, source=np.arange(len(base)))
    return made


def _grouped(stage: GroupBy, base: Spansets, view: View, evaluation: Evaluation) -> Spansets:
    """The groups of a spanset are in the order of their first spans."""
    parts = columns(evaluation.value(stage.expression, Frame(view, "spans", base.rows)), len(base.of))
    codes, _ = compact(group_codes(parts, len(base.of)))
    group, first = compact(base.of * (int(codes.max(initial=0)) + 1) + codes)
    place = first[group]
    order = np.argsort(place, kind="stable")
    starts = distinct_numbers(first)
    value = Computed(text(stage), tuple(part.take(starts) for part in parts))
    source = base.of[starts]
    computed = (*(one.take(source) for one in base.computed), value)
    return Spansets(
        base.span_rows()[order], np.searchsorted(starts, place[order]), base.trace[source], source, computed
    )


def _coalesced(base: Spansets) -> Spansets:
    """All spansets of a trace as one; what was computed of them goes."""
    traces, number = np.unique(base.trace, return_inverse=True)
    of = number.reshape(-1)[base.of]
    order = np.lexsort((base.span_rows(), of))
    first = np.searchsorted(base.trace[np.argsort(base.trace, kind="stable")], traces)
    source = np.argsort(base.trace, kind="stable")[first]
    return Spansets(base.span_rows()[order], of[order], traces, source)


def _filtered(stage: ScalarFilter, base: Spansets, view: View, evaluation: Evaluation) -> Spansets:
    left, right = (_scalar(side, base, view, evaluation) for side in (stage.left, stage.right))
    base = replace(base, source=np.arange(len(base)))
    if isinstance(stage.left, Aggregate) and not isinstance(left, Static):
        base = replace(base, computed=(*base.computed, Computed(text(stage.left), tuple(left))))
    return base.only(compare(stage.operator, left, right, len(base)))


def _scalar(scalar: ScalarExpression, base: Spansets, view: View, evaluation: Evaluation) -> Value:
    if isinstance(scalar, Static):
        return scalar
    if isinstance(scalar, Aggregate):
        return aggregate(scalar, base, view, evaluation)
    left, right = (_scalar(side, base, view, evaluation) for side in (scalar.left, scalar.right))
    return calculate(scalar.operator, left, right, len(base))
