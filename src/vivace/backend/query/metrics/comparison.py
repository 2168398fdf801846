"""compare(): how the values of every attribute are spread among selected spans, and among the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from vivace.backend.query.catalogue import Visible
from vivace.backend.query.conditions import Conditions, conditions
from vivace.backend.query.expression import Evaluation
from vivace.backend.query.fields import TABLES, Frame
from vivace.backend.query.metrics.labels import series_label
from vivace.backend.query.metrics.partial import Partial, partial
from vivace.backend.query.metrics.series import Labels, Series, united
from vivace.backend.query.metrics.timeline import Timeline, Times
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
Check = Callable[[], None]

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
_COUNT = MetricsAggregate("count_over_time")


def compared(
    expression: MetricsPipeline, comparison: Compare, views: Iterable[Visible], times: Times, check: Check
) -> list[Series]:
    """For each attribute the most frequent values of both groups, and how many spans of each have it."""
    partials: dict[tuple[str, Field], list[Partial]] = defaultdict(list)
    for visible in views:
        if overlaps(visible.view, times.start_ns, times.end_ns):
            check()
            for kind, field, one in _counted(visible, expression.pipeline, comparison, times):
                partials[kind, field].append(one)
    found: list[Series] = []
    for (kind, field), parts in partials.items():
        found += _series(kind, series_label(field), parts, comparison.top_n, times)
    return found


def _series(kind: str, name: str, parts: Sequence[Partial], most: int, times: Times) -> Iterator[Series]:
    series = united(parts, [name], _COUNT, times)
    for one in sorted(series, key=lambda one: (-one.values.sum(), str(one.labels)))[:most]:
        yield Series(_typed(kind, one.labels), one.values)
    total = np.sum([one.values for one in series], axis=0)
    yield Series(_typed(f"{kind}_total", ((name, ("stringValue", "nil")),)), total)


def _typed(kind: str, labels: Labels) -> Labels:
    return (("__meta_type", ("stringValue", kind)), *labels)


def _counted(
    visible: Visible, pipeline: Pipeline, comparison: Compare, times: Times
) -> Iterator[tuple[str, Field, Partial]]:
    view = visible.view
    fields: list[Field] = [*(IntrinsicField(one, one.value) for one in _INTRINSICS), *_attributes(view)]
    asked = conditions(Pipeline((*pipeline.stages, comparison.selection)), *fields)
    rows, starts = _rows(visible, pipeline, asked, times)
    chosen = Evaluation(asked).truth(comparison.selection.expression, Frame(view, "spans", rows))
    if comparison.start_ns or comparison.end_ns:
        chosen &= (starts >= comparison.start_ns) & (starts < (comparison.end_ns or np.iinfo(np.int64).max))
    buckets = times.buckets(starts)
    for kind, mine in (("selection", chosen), ("baseline", ~chosen)):
        for field in fields:
            one = _partial(view, rows[mine], buckets[mine], field, asked)
            if one.labels:
                yield kind, field, one


def _attributes(view: View) -> Iterator[Attribute]:
    for scope in _SCOPES:
        for key in sorted(view.keys(TABLES[scope])):
            yield Attribute(scope, key)


def _rows(visible: Visible, pipeline: Pipeline, asked: Conditions, times: Times) -> tuple[Rows, Rows]:
    """The spans of the window that the pipeline selects, and when they start."""
    sets = matched(visible.view, pipeline, asked)
    rows = sets.span_rows()
    starts = visible.view.numbers("spans", "start").data[rows].astype(np.int64, copy=False)
    inside: Mask = (starts >= times.start_ns) & (starts <= times.end_ns)
    if isinstance(times, Timeline):
        inside &= starts > times.start_ns
    if visible.hidden is not None:
        inside &= ~visible.hidden[sets.trace[sets.of]]
    return rows[inside], starts[inside]


def _partial(view: View, rows: Rows, buckets: Rows, field: Field, asked: Conditions) -> Partial:
    """The spans that have a value of a field, counted by it."""
    value = Evaluation(asked).value(field, Frame(view, "spans", rows))
    assert isinstance(value, Sequence)  # noqa: S101 - a field is no literal
    there = np.flatnonzero(known(value, len(rows)))
    return partial(
        Frame(view, "spans", rows[there]), buckets[there], MetricsAggregate("count_over_time", by=(field,)), asked
    )
