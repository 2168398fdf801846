"""Metrics queries over all units."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from vivace.backend.query.catalogue import Visible
from vivace.backend.query.conditions import Conditions, conditions
from vivace.backend.query.fields import Frame
from vivace.backend.query.metrics.comparison import compared
from vivace.backend.query.metrics.labels import series_label
from vivace.backend.query.metrics.operations import Operand, operated
from vivace.backend.query.metrics.partial import Partial, partial
from vivace.backend.query.metrics.series import Series, united
from vivace.backend.query.metrics.stages import staged
from vivace.backend.query.metrics.timeline import Instant, Timeline, Times
from vivace.backend.query.search import matched, overlaps
from vivace.errors import QueryError
from vivace.traceql.tree import (
    Compare,
    MetricsAggregate,
    MetricsExpression,
    MetricsPipeline,
    Static,
)

Check = Callable[[], None]


def query(root: MetricsExpression, views: Sequence[Visible], times: Times, check: Check = lambda: None) -> list[Series]:
    """The series of a metrics query, from views in which every trace is whole."""
    result = _operand(root, views, times, check)
    if isinstance(result, float):
        raise QueryError("a metrics query must select spans")
    return list(result)


def _operand(expression: MetricsExpression, views: Sequence[Visible], times: Times, check: Check) -> Operand:
    if isinstance(expression, Static):
        assert isinstance(expression.value, (int, float))  # noqa: S101 - the grammar knows only numbers here
        return float(expression.value)
    if isinstance(expression, MetricsPipeline):
        return staged(_aggregated(expression, views, times, check), expression.second_stages)
    left, right = (_operand(side, views, times, check) for side in (expression.left, expression.right))
    result = operated(expression.operator, left, right)
    return result if isinstance(result, float) else staged(result, expression.second_stages)


def _aggregated(expression: MetricsPipeline, views: Iterable[Visible], times: Times, check: Check) -> list[Series]:
    aggregate = expression.aggregate
    if isinstance(aggregate, Compare):
        return compared(expression, aggregate, views, times, check)
    wanted = (*aggregate.by, *([aggregate.field] if aggregate.field is not None else []))
    asked = conditions(expression.pipeline, *wanted)
    partials = []
    for visible in views:
        if overlaps(visible.view, times.start_ns, times.end_ns):
            check()
            partials.append(_partial(visible, expression, aggregate, asked, times))
    return united(partials, [series_label(field) for field in aggregate.by], aggregate, times)


def _partial(
    visible: Visible, expression: MetricsPipeline, aggregate: MetricsAggregate, asked: Conditions, times: Times
) -> Partial:
    """A unit's contribution; by whole steps it is the same for every window, so it is kept."""
    if isinstance(times, Instant):
        return _counted(visible, expression, aggregate, asked, times)
    hidden = None if visible.hidden is None else visible.hidden.tobytes()
    return visible.view.remember(
        ("partial", expression.pipeline, aggregate, times.step_ns, hidden),
        lambda: _counted(visible, expression, aggregate, asked, Timeline(times.step_ns, 0, 0)),
        lambda made: made.nbytes,
    )


def _counted(
    visible: Visible, expression: MetricsPipeline, aggregate: MetricsAggregate, asked: Conditions, times: Times
) -> Partial:
    view = visible.view
    sets = matched(view, expression.pipeline, asked)
    frame = Frame(view, "spans", sets.rows)
    if visible.hidden is not None:
        frame = frame.within(~visible.hidden[sets.trace[sets.of]])
    starts = view.numbers("spans", "start").take(frame.rows).data
    buckets = times.buckets(starts.astype(np.int64, copy=False))
    if isinstance(times, Instant):
        inside = buckets >= 0
        frame, buckets = frame.within(inside), buckets[inside]
    return partial(frame, buckets, aggregate, asked)
