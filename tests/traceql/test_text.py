"""Any tree that the language can express is written so that it is read as the same tree."""

from __future__ import annotations

from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivace.traceql.parser import parse_syntax
from vivace.traceql.text import duration_text, text
from vivace.traceql.tree import (
    Aggregate,
    Attribute,
    Binary,
    Coalesce,
    Compare,
    GroupBy,
    Hint,
    Intrinsic,
    IntrinsicField,
    MetricsAggregate,
    MetricsOperation,
    MetricsPipeline,
    Operator,
    Pipeline,
    Query,
    ScalarFilter,
    ScalarOperation,
    Scope,
    Select,
    SeriesFilter,
    SpansetFilter,
    SpansetOperation,
    SpansetOperator,
    Static,
    StaticType,
    TopBottom,
    Unary,
)
from vivace.traceql.types import ARITHMETIC, EQUALITY, LOGICAL, ORDER

NIL = Static(StaticType.NIL, None)
Node = TypeVar("Node")
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


def brief(strategy: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    """The same strategy with a short name in Hypothesis' messages."""

    @st.composite
    def drawn(draw: st.DrawFn) -> Node:
        return draw(strategy)

    return drawn()


integers = st.integers(-(2**63), 2**63 - 1).map(lambda value: Static(StaticType.INT, value))
floats = st.floats(allow_nan=False, allow_infinity=False).map(lambda value: Static(StaticType.FLOAT, value))
durations = st.integers(-(2**63) + 1, 2**63 - 1).map(lambda value: Static(StaticType.DURATION, value))
numbers = st.one_of(integers, floats, durations)
statics = st.one_of(
    numbers,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map(lambda value: Static(StaticType.STRING, value)),
    st.booleans().map(lambda value: Static(StaticType.BOOL, value)),
    st.sampled_from(["error", "ok", "unset"]).map(lambda value: Static(StaticType.STATUS, value)),
    st.sampled_from(["client", "server", "unspecified"]).map(lambda value: Static(StaticType.KIND, value)),
)
references = st.one_of(
    st.builds(Attribute, st.sampled_from([scope for scope in Scope if scope is not Scope.PARENT]), WORDS),
    st.builds(Attribute, st.just(Scope.PARENT), WORDS, st.sampled_from([Scope.NONE, Scope.SPAN, Scope.RESOURCE])),
    st.just(Attribute(Scope.PARENT, "span.x")),
    st.sampled_from([IntrinsicField(name, name.value) for name in Intrinsic]),
    st.just(IntrinsicField(Intrinsic.SPAN_DURATION, "duration")),
)
fields = brief(
    st.recursive(
        statics | references,
        lambda inner: st.one_of(
            st.builds(Binary, st.sampled_from([*ARITHMETIC, *EQUALITY, *LOGICAL, *ORDER]), inner, inner),
            st.builds(Binary, st.sampled_from(sorted(EQUALITY)), inner, st.just(NIL)),
            st.builds(Unary, st.just(Operator.NOT), inner),
            st.builds(Unary, st.just(Operator.NEGATE), inner.filter(lambda operand: not isinstance(operand, Static))),
        ),
        max_leaves=6,
    )
)
filters = st.builds(SpansetFilter, fields)
aggregates = st.builds(Aggregate, st.sampled_from(["min", "max", "avg", "sum"]), fields) | st.just(Aggregate("count"))
scalars = st.recursive(
    aggregates,
    lambda inner: st.builds(ScalarOperation, st.sampled_from(sorted(ARITHMETIC)), inner, inner | numbers),
    max_leaves=3,
)
scalar_filters = st.builds(ScalarFilter, st.sampled_from(sorted(EQUALITY | ORDER)), scalars, scalars | numbers)
grouping = st.builds(GroupBy, fields)
selects = st.builds(Select, st.lists(references, min_size=1, max_size=3).map(tuple))
spansets = st.recursive(
    filters,
    lambda inner: st.one_of(
        st.builds(SpansetOperation, st.sampled_from(SpansetOperator), inner, inner),
        st.builds(lambda first, second: Pipeline((first, second)), inner, scalar_filters),
    ),
    max_leaves=4,
)
stages = brief(st.one_of(spansets, scalar_filters, grouping, selects))
pipelines = brief(
    st.builds(lambda first, rest: Pipeline((first, *rest)), stages, st.lists(stages | st.just(Coalesce()), max_size=3))
)
by = st.lists(references, max_size=3).map(tuple)
quantiles = st.lists(st.floats(0, 1), min_size=1, max_size=2).map(tuple)
metrics = st.one_of(
    st.builds(MetricsAggregate, st.sampled_from(["rate", "count_over_time"]), by=by),
    st.builds(MetricsAggregate, st.sampled_from(["sum_over_time", "histogram_over_time"]), references, by),
    st.builds(MetricsAggregate, st.just("quantile_over_time"), references, by, quantiles),
    st.builds(Compare, filters, st.integers(1, 9), st.integers(0, 2**62), st.integers(0, 2**62)),
)
second_stages = st.lists(
    st.one_of(
        st.builds(TopBottom, st.sampled_from(["topk", "bottomk"]), st.integers(0, 100)),
        st.builds(SeriesFilter, st.sampled_from(sorted(EQUALITY | ORDER)), numbers),
    ),
    max_size=3,
).map(tuple)
series = st.recursive(
    st.builds(MetricsPipeline, pipelines, metrics, second_stages),
    lambda inner: st.builds(
        MetricsOperation,
        st.sampled_from([Operator.ADD, Operator.SUBTRACT, Operator.MULTIPLY, Operator.DIVIDE]),
        inner,
        inner | numbers,
        second_stages,
    ),
    max_leaves=3,
)
hints = st.lists(st.builds(Hint, st.sampled_from(["sample", "exemplars", "x1"]), statics), max_size=2).map(tuple)


@st.composite
def queries(draw: st.DrawFn) -> Query:
    return Query(draw(pipelines | series), draw(hints))


@settings(deadline=None, max_examples=200)
@given(queries())
def test_a_tree_survives_being_written_and_read(query: Query) -> None:
    assert parse_syntax(text(query)) == query


@pytest.mark.parametrize(
    ("nanoseconds", "written"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1.5µs"),
        (1_000_001, "1.000001ms"),
        (999_999_999, "999.999999ms"),
        (100_000_000_000, "1m40s"),
        (3_600_000_000_000, "1h0m0s"),
        (-2_500_000_000, "-2.5s"),
    ],
)
def test_durations_are_written_as_go_does(nanoseconds: int, written: str) -> None:
    assert duration_text(nanoseconds) == written


def test_only_nodes_of_the_tree_have_a_text() -> None:
    with pytest.raises(TypeError, match="not a node"):
        text("{}")
