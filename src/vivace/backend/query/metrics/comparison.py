"""compare(): how the values of every attribute are spread among selected spans, and among the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from vivace.backend.query.catalogue import Visible
from vivace.backend.query.compare import Check
from vivace.backend.query.conditions import conditions
from vivace.backend.query.expression import Evaluation
from vivace.backend.query.fields import TABLES, Frame
from vivace.backend.query.grouping import columns
from vivace.backend.query.metrics.bounds import MOST_VALUES, TooManyGroups
from vivace.backend.query.metrics.codes import Label, codes, home
from vivace.backend.query.metrics.labels import series_label
from vivace.backend.query.metrics.series import Labels, Series
from vivace.backend.query.metrics.tally import NOTHING, Tally, rows_of, tallied, values_of
from vivace.backend.query.metrics.timeline import Steps, Timeline, Times
from vivace.backend.query.metrics.united import series, united
from vivace.backend.query.search import matched, overlaps
from vivace.backend.query.value import Mask, Rows, known
from vivace.backend.query.view import View
from vivace.traceql.tree import (
    Attribute,
    Compare,
    Intrinsic,
    IntrinsicField,
    MetricsAggregate,
    MetricsPipeline,
    Pipeline,
    Scope,
)

Field = Attribute | IntrinsicField
_INTRINSICS = (
    Intrinsic.SPAN_NAME,
    Intrinsic.SPAN_STATUS,
    Intrinsic.SPAN_STATUS_MESSAGE,
    Intrinsic.SPAN_KIND,
    Intrinsic.TRACE_ROOT_NAME,
    Intrinsic.TRACE_ROOT_SERVICE,
    Intrinsic.INSTRUMENTATION_NAME,
    Intrinsic.INSTRUMENTATION_VERSION,
)
_SCOPES = (Scope.RESOURCE, Scope.INSTRUMENTATION, Scope.SPAN)
_COUNT: Final = MetricsAggregate("count_over_time")
_TYPE: Final = "__meta_type"
_ERROR: Final = "__meta_error"
_TOO_MANY: Final = "__too_many_values__"


@dataclass(frozen=True, slots=True)
class _Comparing:
    """A comparison being made."""

    most: int
    times: Times
    evaluation: Evaluation


@dataclass(frozen=True, slots=True)
class _Spans:
    """Spans, the steps that they fall into, and which of them are selected."""

    view: View
    rows: Rows
    steps: Steps
    chosen: Mask
    _by_row: dict[str, tuple[Tally, Tally]]

    def by_row(self, table: str) -> tuple[Tally, Tally]:
        """The selected spans and the others by their row of a table: counted once for all of its keys."""
        if table not in self._by_row:
            row = Frame(self.view, "spans", self.rows).of(table)
            assert row is not None  # noqa: S101 - it is another table
            self._by_row[table] = tallied(rows_of(table, self.view.rows(table)), row, self.steps, self.chosen)
        return self._by_row[table]


def compared(
    expression: MetricsPipeline, comparison: Compare, views: Iterable[Visible], times: Times, check: Check
) -> list[Series]:
    """For each attribute the most frequent values of both groups, and how many spans of each have it."""
    looked_at = [one for one in views if overlaps(one.view, times.start_ns, times.end_ns)]
    fields = _fields([visible.view for visible in looked_at])
    asked = conditions(Pipeline((*expression.pipeline.stages, comparison.selection)), *fields)
    comparing = _Comparing(comparison.top_n, times, Evaluation(asked, check))
    spans = [_looked_at(visible, expression.pipeline, comparison, comparing) for visible in looked_at]
    found: list[Series] = []
    for field in fields:
        tallies = [_tallied(each, field, comparing.evaluation) for each in spans]
        for place, kind in enumerate(("selection", "baseline")):
            found += _series(kind, field, [pair[place] for pair in tallies if len(pair[place].spans)], comparing)
    return found


def _series(kind: str, field: Field, tallies: Sequence[Tally], comparing: _Comparing) -> Iterator[Series]:
    """Of an attribute with very many values only how often it is there."""
    name, times, check = series_label(field), comparing.times, comparing.evaluation.check
    if not tallies:
        return
    try:
        counts = [one.by_value(MOST_VALUES) for one in tallies]
        table = united(counts, _COUNT, times, check, MOST_VALUES).largest(comparing.most)
        for one in sorted(series(table, [name], _COUNT, times), key=_most_frequent):
            yield Series(_typed(kind, one.labels), one.values)
    except TooManyGroups:
        yield Series((_meta(_TYPE, kind), _meta(_ERROR, _TOO_MANY), _meta(name, "nil")), np.zeros(len(times)))
    (total,) = series(united([one.in_all() for one in tallies], _COUNT, times, check), [], _COUNT, times)
    yield Series(_typed(f"{kind}_total", (_meta(name, "nil"),)), total.values)


def _most_frequent(one: Series) -> tuple[float, str]:
    return -float(one.values.sum()), str(one.labels)


def _meta(key: str, text: str) -> tuple[str, Label]:
    return key, ("stringValue", text)


def _typed(kind: str, labels: Labels) -> Labels:
    return (_meta(_TYPE, kind), *labels)


def _fields(views: Sequence[View]) -> list[Field]:
    """Intrinsics, and the attributes that occur in any of the views."""
    keys = {(scope, key) for view in views for scope in _SCOPES for key in view.keys(TABLES[scope])}
    attributes = (Attribute(scope, key) for scope, key in sorted(keys, key=lambda one: (_SCOPES.index(one[0]), one[1])))
    return [*(IntrinsicField(one, one.value) for one in _INTRINSICS), *attributes]


def _tallied(spans: _Spans, field: Field, evaluation: Evaluation) -> tuple[Tally, Tally]:
    """The spans that have a value of a field, by it: the selected ones, and the others."""
    evaluation.check()
    view, table = spans.view, home(field, spans.view)
    if isinstance(field, Attribute) and not view.has(TABLES[field.scope], field.name):
        return NOTHING, NOTHING
    if table != "spans":
        groups = codes(field, evaluation, view, keep=False)
        selected, others = spans.by_row(table)
        return selected.regrouped(groups), others.regrouped(groups)
    every = Frame(view)
    parts = columns(evaluation.value(field, every), len(every))
    there = np.flatnonzero(known(parts, len(every))[spans.rows])
    rows = spans.rows[there]
    groups = values_of([part.take(rows) for part in parts], len(rows))
    return tallied(groups, groups.code, spans.steps.at(there), spans.chosen[there])


def _looked_at(visible: Visible, pipeline: Pipeline, comparison: Compare, comparing: _Comparing) -> _Spans:
    """The spans of a view that the pipeline selects, and which of them are compared with the others."""
    rows, starts = _rows(visible, pipeline, comparing.evaluation, comparing.times)
    frame = Frame(visible.view, "spans", rows)
    chosen = comparing.evaluation.truth(comparison.selection.expression, frame)
    if comparison.start_ns or comparison.end_ns:
        chosen &= (starts >= comparison.start_ns) & (starts < (comparison.end_ns or np.iinfo(np.int64).max))
    return _Spans(visible.view, rows, comparing.times.steps(starts), chosen, {})


def _rows(visible: Visible, pipeline: Pipeline, evaluation: Evaluation, times: Times) -> tuple[Rows, Rows]:
    """The spans of the window that the pipeline selects, and when they start."""
    evaluation.check()
    sets = matched(visible.view, pipeline, evaluation.conditions, evaluation.check)
    rows = sets.span_rows()
    starts = visible.view.numbers("spans", "start").data[rows].astype(np.int64, copy=False)
    inside: Mask = (starts >= times.start_ns) & (starts <= times.end_ns)
    if isinstance(times, Timeline):
        inside &= starts > times.start_ns
    if visible.hidden is not None:
        inside &= ~visible.hidden[sets.trace[sets.of]]
    return rows[inside], starts[inside]
