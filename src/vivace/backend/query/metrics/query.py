"""Metrics queries over all units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from vivace.backend.query.catalogue import Visible
from vivace.backend.query.compare import Check, still
from vivace.backend.query.conditions import conditions
from vivace.backend.query.expression import Evaluation
from vivace.backend.query.fields import Frame
from vivace.backend.query.metrics.bounds import Bounds, check_cells, check_counted, too_many_series
from vivace.backend.query.metrics.comparison import compared
from vivace.backend.query.metrics.exemplars import Examples
from vivace.backend.query.metrics.labels import series_label
from vivace.backend.query.metrics.operations import Operand, operated
from vivace.backend.query.metrics.partial import Partial, partial
from vivace.backend.query.metrics.series import Series
from vivace.backend.query.metrics.stages import staged
from vivace.backend.query.metrics.timeline import Instant, Steps, Times
from vivace.backend.query.metrics.united import United, series, united
from vivace.backend.query.search import matched, overlaps
from vivace.backend.query.value import Rows
from vivace.backend.query.view import View
from vivace.errors import QueryError
from vivace.traceql.tree import (
    Compare,
    MetricsAggregate,
    MetricsExpression,
    MetricsPipeline,
    Pipeline,
    SpansetFilter,
    Static,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """The series of a metrics query; `partial` says what is missing, None when nothing is."""

    series: Sequence[Series]
    partial: str | None = None


def query(
    root: MetricsExpression,
    views: Sequence[Visible],
    times: Times,
    check: Check = still,
    bounds: Bounds = Bounds(),  # noqa: B008 - immutable
) -> Answer:
    """Answers a metrics query from views in which every trace is whole. QueryError when it takes more than it may."""
    asking = _Asking(views, times, check, bounds)
    result = asking.operand(root, last=True)
    if isinstance(result, float):
        raise QueryError("a metrics query must select spans")
    most = bounds.most_series(len(times))
    shown = list(result)[:most]
    if asking.examples is not None and bounds.exemplars:
        shown = asking.examples.exemplified(shown, bounds.exemplars)
    return Answer(shown, too_many_series(most) if len(result) > most or asking.cut else None)


class _Asking:
    """One query being answered."""

    def __init__(self, views: Sequence[Visible], times: Times, check: Check, bounds: Bounds) -> None:
        self._views, self._times, self._check, self._bounds = views, times, check, bounds
        self.examples: Examples | None = None
        """Of the query's only aggregate; what is computed from several has no exemplars."""
        self.cut = False
        """Whether groups were left out."""

    def operand(self, expression: MetricsExpression, *, last: bool) -> Operand:
        """The series of an expression; `last` when nothing is computed from them any more."""
        if isinstance(expression, Static):
            assert isinstance(expression.value, (int, float))  # noqa: S101 - the grammar knows only numbers here
            return float(expression.value)
        if isinstance(expression, MetricsPipeline):
            found = self._aggregated(expression, last=last and not expression.second_stages)
            return staged(found, expression.second_stages)
        left, right = (self.operand(side, last=False) for side in (expression.left, expression.right))
        self.examples = None
        result = operated(expression.operator, left, right)
        return result if isinstance(result, float) else staged(result, expression.second_stages)

    def _aggregated(self, expression: MetricsPipeline, *, last: bool) -> list[Series]:
        aggregate = expression.aggregate
        if isinstance(aggregate, Compare):
            return compared(expression, aggregate, self._views, self._times, self._check)
        wanted = (*aggregate.by, *([aggregate.field] if aggregate.field is not None else []))
        evaluation = Evaluation(conditions(expression.pipeline, *wanted), self._check)
        counted: list[tuple[View, Partial]] = []
        for visible in self._views:
            if overlaps(visible.view, self._times.start_ns, self._times.end_ns):
                counted.append((visible.view, self._partial(visible, expression, aggregate, evaluation)))
                check_counted(sum(len(one.group) for _, one in counted))
        table = united([one for _, one in counted], aggregate, self._times, self._check)
        self.examples = Examples(table, counted, aggregate, evaluation)
        return self._series(table, aggregate, last=last)

    def _series(self, table: United, aggregate: MetricsAggregate, *, last: bool) -> list[Series]:
        """As many as the answer may have, of the groups with most spans; all when more is computed from them."""
        each = max(1, len(aggregate.quantiles))
        names = [series_label(field) for field in aggregate.by]
        if not last:
            check_cells(len(table.groups) * each, len(self._times))
            return list(series(table, names, aggregate, self._times))
        most = self._bounds.most_series(len(self._times))
        groups = max(1, most // each)
        if len(table.groups) > groups:
            self.cut = True
            table = table.largest(groups)
            self.examples = self.examples and replace(self.examples, table=table)
        return list(islice(series(table, names, aggregate, self._times), most + 1))

    def _partial(
        self, visible: Visible, expression: MetricsPipeline, aggregate: MetricsAggregate, evaluation: Evaluation
    ) -> Partial:
        """A unit's contribution; by whole steps it is the same for every window, so it is kept."""
        self._check()
        times = self._times
        if isinstance(times, Instant):
            return _counted(visible, expression.pipeline, aggregate, evaluation, times)
        return visible.view.remember(
            ("partial", expression.pipeline, aggregate, times.step_ns, visible.hidden_key),
            lambda: _counted(visible, expression.pipeline, aggregate, evaluation, times),
            lambda made: made.nbytes,
            passing=True,
        )


def _counted(
    visible: Visible, pipeline: Pipeline, aggregate: MetricsAggregate, evaluation: Evaluation, times: Times
) -> Partial:
    frame = selected(visible, pipeline, evaluation)
    if isinstance(times, Instant):
        inside = times.holds(_starts(frame))
        if not inside.all():
            frame = frame.within(inside)
    return partial(frame, _steps(frame, times), aggregate, evaluation)


def selected(visible: Visible, pipeline: Pipeline, evaluation: Evaluation) -> Frame:
    """The spans that a pipeline selects, without those of traces that another view has whole."""
    view = visible.view
    if len(pipeline.stages) == 1 and isinstance(only := pipeline.stages[0], SpansetFilter):
        frame = Frame(view)
        mask = evaluation.matching(only.expression, frame)
        if visible.hidden is not None:
            mask = mask & ~visible.hidden[view.index("spans", "trace")]
        return frame if mask.all() else frame.within(mask)
    sets = matched(view, pipeline, evaluation.conditions, evaluation.check)
    frame = Frame(view, "spans", sets.rows)
    return frame if visible.hidden is None else frame.within(~visible.hidden[sets.trace[sets.of]])


def _starts(frame: Frame) -> Rows:
    starts = frame.view.numbers("spans", "start").take(frame.rows).data
    return starts.astype(np.int64, copy=False)


def _steps(frame: Frame, times: Times) -> Steps:
    """Kept for a whole unit, since many queries have the same step."""
    if isinstance(times, Instant):
        return times.steps(_starts(frame))
    every = frame.view.remember(
        ("steps", times.step_ns),
        lambda: times.steps(_starts(Frame(frame.view))),
        lambda made: made.nbytes,
        passing=True,
    )
    return every.at(frame.rows)
