"""Metrics of random queries about random telemetry are what plain Python makes of them, span by span."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.backend.query.dataset import SECOND, Data, dataset, pipelines, span_fields
from tests.backend.query.oracle import COMPARE, Oracle
from tests.backend.query.oracle_nodes import Node, Valueless, Word, nodes
from tests.backend.query.test_against_oracle import units

from vivace.backend.query.catalogue import Catalogue
from vivace.backend.query.conditions import conditions
from vivace.backend.query.memory import Memory
from vivace.backend.query.metrics.query import query
from vivace.backend.query.metrics.timeline import timeline
from vivace.errors import QueryError
from vivace.traceql.tree import (
    FieldExpression,
    Intrinsic,
    IntrinsicField,
    MetricsAggregate,
    MetricsPipeline,
    Operator,
    Pipeline,
    SeriesFilter,
    SpansetFilter,
    Static,
    StaticType,
    TopBottom,
)

STEP = 5 * SECOND
TIMES = timeline(0, 30 * SECOND, STEP)
Points = dict[tuple[Any, ...], list[float]]

DURATION = IntrinsicField(Intrinsic.SPAN_DURATION, "duration")
groups = st.lists(
    st.one_of(
        span_fields,
        st.sampled_from(
            [Intrinsic.SPAN_NAME, Intrinsic.SPAN_STATUS, Intrinsic.SPAN_KIND, Intrinsic.TRACE_ROOT_NAME]
        ).map(lambda one: IntrinsicField(one, one.value)),
    ),
    max_size=2,
    unique_by=str,
).map(tuple)
measured = st.one_of(st.just(DURATION), span_fields)
aggregates = st.one_of(
    st.builds(MetricsAggregate, st.sampled_from(["rate", "count_over_time"]), by=groups),
    st.builds(
        MetricsAggregate,
        st.sampled_from(["min_over_time", "max_over_time", "avg_over_time", "sum_over_time"]),
        measured,
        groups,
    ),
    st.builds(MetricsAggregate, st.just("histogram_over_time"), measured, groups),
)
stages = st.one_of(
    st.builds(TopBottom, st.sampled_from(["topk", "bottomk"]), st.integers(1, 2)),
    st.builds(
        SeriesFilter,
        st.sampled_from([Operator.GREATER, Operator.LESS_EQUAL, Operator.NOT_EQUAL]),
        st.sampled_from(
            [Static(StaticType.INT, 1), Static(StaticType.FLOAT, 0.5), Static(StaticType.DURATION, SECOND)]
        ),
    ),
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    data=dataset(),
    pipeline=st.one_of(st.just(Pipeline((SpansetFilter(Static(StaticType.BOOL, True)),))), pipelines),
    aggregate=aggregates,
    later=st.lists(stages, max_size=2),
    deal=st.lists(st.integers(0, 3), min_size=1, max_size=12),
)
def test_metrics_are_what_the_oracle_counts(
    data: Data, pipeline: Pipeline, aggregate: MetricsAggregate, later: list[Any], deal: list[int]
) -> None:
    catalogue = Catalogue(lambda: stored, Memory(1 << 20))
    stored = units(data, deal)
    try:
        expected = _staged(_counted(data, pipeline, aggregate), later)
    except QueryError:
        return
    found = query(MetricsPipeline(pipeline, aggregate, tuple(later)), catalogue.visible(), TIMES).series
    assert _rounded({tuple(label for _, label in one.labels): one.values.tolist() for one in found}) == _rounded(
        expected
    )


def _rounded(series: Points) -> dict[tuple[Any, ...], list[str]]:
    return {labels: [f"{value:.9g}" for value in values] for labels, values in series.items()}


def _counted(data: Data, pipeline: Pipeline, aggregate: MetricsAggregate) -> Points:
    wanted: Sequence[FieldExpression] = (*aggregate.by, *([aggregate.field] if aggregate.field else []))
    oracle = Oracle(pipeline)
    oracle.conditions = conditions(pipeline, *wanted)
    cells: dict[tuple[Any, ...], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for trace in nodes(data):
        for spans, _ in oracle.run(pipeline, [(trace, [])]):
            for node in spans:
                _count(oracle, node, aggregate, cells)
    name = ("stringValue", aggregate.function)
    empty = 0.0 if aggregate.function in ("rate", "count_over_time", "histogram_over_time") else math.nan
    return {
        labels or (name,): [
            _figure(aggregate.function, by_step[step]) if step in by_step else empty
            for step in range(TIMES.first, TIMES.last + 1)
        ]
        for labels, by_step in cells.items()
    }


def _count(oracle: Oracle, node: Node, aggregate: MetricsAggregate, cells: Any) -> None:
    labels = tuple(_label(oracle.value(field, node)) for field in aggregate.by)
    number = 1.0 if aggregate.field is None else oracle.value(aggregate.field, node)
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        return
    duration = aggregate.field == DURATION
    if aggregate.function == "histogram_over_time":
        if isinstance(number, float) or number < 2:
            return
        bound = 2.0 ** (number - 1).bit_length()
        labels = (*labels, ("doubleValue", bound * 1e-9 if duration else bound))
    elif duration:
        number *= 1e-9
    cells[labels][-(-node.span.start_time_unix_nano // STEP)].append(number)


def _figure(function: str, values: list[float]) -> float:
    return {
        "rate": len(values) / 5,
        "min_over_time": min(values),
        "max_over_time": max(values),
        "avg_over_time": sum(values) / len(values),
        "sum_over_time": sum(values),
    }.get(function, len(values))


def _label(value: Any) -> tuple[str, Any]:
    if isinstance(value, list):
        given = [dict([_label(one)]) for one in value]
        return _label(value[0]) if len(value) == 1 else ("arrayValue", json.dumps({"values": given}))
    if value is None or isinstance(value, Valueless):
        return "stringValue", "nil"
    if isinstance(value, Word):
        return "stringValue", value.name
    if isinstance(value, bool):
        return "boolValue", value
    if isinstance(value, int):
        return "intValue", str(value)
    return ("doubleValue", value) if isinstance(value, float) else ("stringValue", value)


def _staged(series: Points, later: Sequence[Any]) -> Points:
    for stage in later:
        if isinstance(stage, TopBottom):
            series = _extremes(series, stage)
        else:
            bound = float(stage.value.value) * (1e-9 if stage.value.type is StaticType.DURATION else 1)
            holds = COMPARE[stage.operator]
            series = {
                labels: [value if holds(value, bound) else math.nan for value in values]
                for labels, values in series.items()
            }
        series = {labels: values for labels, values in series.items() if not all(map(math.isnan, values))}
    return series


def _extremes(series: Points, stage: TopBottom) -> Points:
    """Of equal ones the first by their labels stay."""
    found: Points = {labels: [] for labels in series}
    sign = -1 if stage.function == "topk" else 1
    for place in range(len(TIMES)):
        point = {labels: values[place] for labels, values in series.items() if not math.isnan(values[place])}
        ordered = sorted((sign * value, [str(one) for _, one in labels], labels) for labels, value in point.items())
        best = [labels for _, _, labels in ordered[: stage.limit]]
        for labels in series:
            found[labels].append(point[labels] if labels in best else math.nan)
    return found
