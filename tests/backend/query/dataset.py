"""Small random telemetry and random queries about it, for comparing the engine with the oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial, reduce
from itertools import product
from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from vivace.traceql.tree import (
    Aggregate,
    Attribute,
    Binary,
    Coalesce,
    FieldExpression,
    GroupBy,
    Intrinsic,
    IntrinsicField,
    Operator,
    Pipeline,
    ScalarFilter,
    Scope,
    SpansetExpression,
    SpansetFilter,
    SpansetOperation,
    SpansetOperator,
    Static,
    StaticType,
    Unary,
)

SECOND = 1_000_000_000
KEYS = ("a", "b", "c")
WORDS = ("x", "y", "xy", "")

Scalar = str | bool | int | float
Data = list[ResourceSpans]
"""One ResourceSpans per span, so that spans can be dealt to units in any way."""


def any_value(value: Scalar | list[Any] | None) -> AnyValue:
    """The AnyValue of a Python value."""
    if value is None:
        return AnyValue(bytes_value=b"?")
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(array_value=ArrayValue(values=[any_value(one) for one in value]))


def key_values(attributes: Mapping[str, Any]) -> list[KeyValue]:
    """Attributes as OTLP has them."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


scalars = st.one_of(st.sampled_from(WORDS), st.integers(-2, 3), st.sampled_from([0.0, 0.5, 1.0, 2.0]), st.booleans())
arrays = st.one_of(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
    st.lists(st.integers(0, 3), min_size=1, max_size=3),
    st.lists(st.booleans(), min_size=1, max_size=2),
)
values = st.one_of(scalars, scalars, scalars, arrays, st.none())
attributes = st.dictionaries(st.sampled_from(KEYS), values, max_size=3)


@st.composite
def span(draw: st.DrawFn, traces: int, others: int) -> ResourceSpans:
    """One span; its parent is another of the trace's, or missing, or none."""
    trace = draw(st.integers(1, traces))
    number = draw(st.integers(0, 1 << 40))
    parent = draw(st.sampled_from([0, 0, 999, *range(1, others + 1), *range(1, others + 1)]))
    start = draw(st.integers(1, 20)) * SECOND
    made = Span(
        trace_id=trace.to_bytes(16, "big"),
        span_id=(number + 1000).to_bytes(8, "big"),
        parent_span_id=b"" if parent == 0 else parent.to_bytes(8, "big"),
        name=draw(st.sampled_from(WORDS)),
        kind=Span.SpanKind.ValueType(draw(st.sampled_from([0, 1, 2, 3]))),
        start_time_unix_nano=start,
        end_time_unix_nano=start + draw(st.integers(0, 3)) * SECOND // 2,
        attributes=key_values(draw(attributes)),
    )
    made.status.code = Status.StatusCode.ValueType(draw(st.sampled_from([0, 1, 2])))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        made.events.add(
            time_unix_nano=start + draw(st.integers(0, 2)) * 1000,
            name=draw(st.sampled_from(WORDS)),
            attributes=key_values(draw(attributes)),
        )
    for _ in range(draw(st.sampled_from([0, 0, 1]))):
        made.links.add(trace_id=b"\x01" * 16, span_id=b"\x02" * 8, attributes=key_values(draw(attributes)))
    resource = draw(attributes)
    if draw(st.booleans()):
        resource = {**resource, "service.name": draw(st.sampled_from(["one", "two"]))}
    scope = ScopeSpans(spans=[made])
    scope.scope.name = draw(st.sampled_from(["", "lib"]))
    scope.scope.attributes.extend(key_values(draw(attributes)))
    found = ResourceSpans(scope_spans=[scope])
    found.resource.attributes.extend(key_values(resource))
    return found


@st.composite
def dataset(draw: st.DrawFn) -> Data:
    """Up to a dozen spans of up to three traces. IDs 1, 2, … are of spans that others may name as parents."""
    count = draw(st.integers(1, 12))
    spans = [draw(span(3, count)) for _ in range(count)]
    for number, one in enumerate(spans, start=1):
        _settle(one.scope_spans[0].spans[0], number)
    return spans


def _settle(made: Span, number: int) -> None:
    """The span's ID is its number, and no two start at the same time: their order would be that of their arrival."""
    made.span_id = number.to_bytes(8, "big")
    made.start_time_unix_nano += number
    made.end_time_unix_nano += number


def requests(data: Sequence[ResourceSpans]) -> list[bytes]:
    """Each span as an export request of its own."""
    return [ExportTraceServiceRequest(resource_spans=[one]).SerializeToString() for one in data]


def _static(value: Scalar) -> Static:
    kinds = {str: StaticType.STRING, bool: StaticType.BOOL, int: StaticType.INT, float: StaticType.FLOAT}
    return Static(kinds[type(value)], value)


NIL = Static(StaticType.NIL, None)
SCOPES = (
    Scope.NONE,
    Scope.NONE,
    Scope.SPAN,
    Scope.SPAN,
    Scope.RESOURCE,
    Scope.EVENT,
    Scope.LINK,
    Scope.INSTRUMENTATION,
)
attribute_fields = st.builds(Attribute, st.sampled_from(SCOPES), st.sampled_from(KEYS))
span_fields = st.builds(Attribute, st.sampled_from([Scope.NONE, Scope.SPAN, Scope.RESOURCE]), st.sampled_from(KEYS))


def _intrinsic(intrinsic: Intrinsic) -> IntrinsicField:
    return IntrinsicField(intrinsic, intrinsic.value)


EQUALITY = (Operator.EQUAL, Operator.NOT_EQUAL)
ORDER = (Operator.LESS, Operator.LESS_EQUAL, Operator.GREATER, Operator.GREATER_EQUAL)
durations = st.integers(0, 6).map(lambda half: Static(StaticType.DURATION, half * SECOND // 2))
comparisons = st.one_of(
    st.builds(Binary, st.sampled_from(EQUALITY + ORDER), attribute_fields, scalars.map(_static)).filter(
        lambda made: made.operator in EQUALITY or not isinstance(getattr(made.right, "value", None), bool)
    ),
    st.builds(Binary, st.sampled_from(EQUALITY), attribute_fields, st.just(NIL)),
    st.builds(Binary, st.just(Operator.EQUAL), st.just(NIL), attribute_fields),
    st.builds(
        Binary,
        st.sampled_from([Operator.REGEX, Operator.NOT_REGEX]),
        attribute_fields,
        st.sampled_from(["x.*", "[xy]", ".*y", ""]).map(_static),
    ),
    st.builds(Binary, st.sampled_from(EQUALITY + ORDER), span_fields, span_fields),
    st.builds(
        Binary,
        st.sampled_from(EQUALITY + ORDER),
        st.sampled_from([Intrinsic.SPAN_DURATION, Intrinsic.TRACE_DURATION]).map(_intrinsic),
        durations,
    ),
    st.builds(
        Binary,
        st.sampled_from(EQUALITY),
        st.sampled_from(
            [Intrinsic.SPAN_NAME, Intrinsic.TRACE_ROOT_NAME, Intrinsic.EVENT_NAME, Intrinsic.INSTRUMENTATION_NAME]
        ).map(_intrinsic),
        st.sampled_from([*WORDS, "lib"]).map(_static),
    ),
    st.builds(
        Binary,
        st.sampled_from(EQUALITY),
        st.just(_intrinsic(Intrinsic.SPAN_STATUS)),
        st.sampled_from(["ok", "error", "unset"]).map(lambda name: Static(StaticType.STATUS, name)),
    ),
    st.builds(
        Binary,
        st.sampled_from(EQUALITY + ORDER),
        st.sampled_from([Intrinsic.SPAN_CHILD_COUNT, Intrinsic.NESTED_SET_LEFT, Intrinsic.NESTED_SET_PARENT]).map(
            _intrinsic
        ),
        st.integers(-1, 4).map(_static),
    ),
    st.builds(
        Binary,
        st.sampled_from(EQUALITY + ORDER),
        st.builds(
            Binary,
            st.sampled_from(
                [
                    Operator.ADD,
                    Operator.SUBTRACT,
                    Operator.MULTIPLY,
                    Operator.DIVIDE,
                    Operator.MODULO,
                    Operator.POWER,
                ]
            ),
            st.one_of(span_fields, span_fields.map(lambda field: Unary(Operator.NEGATE, field))),
            st.one_of(st.integers(1, 3).map(_static), st.just(_static(0.5))),
        ),
        st.one_of(st.integers(-2, 6).map(_static), st.sampled_from([-0.5, 0.25]).map(_static)),
    ),
    st.builds(
        Binary,
        st.sampled_from((*EQUALITY, Operator.LESS, Operator.GREATER_EQUAL)),
        st.sampled_from(
            [
                Intrinsic.SPAN_ID,
                Intrinsic.SPAN_PARENT_ID,
                Intrinsic.TRACE_ID,
                Intrinsic.LINK_TRACE_ID,
                Intrinsic.LINK_SPAN_ID,
                Intrinsic.TRACE_ROOT_SERVICE,
                Intrinsic.INSTRUMENTATION_VERSION,
            ]
        ).map(_intrinsic),
        st.sampled_from(
            [*(f"{number:016x}" for number in range(4)), "1", "2", "02" * 8, "1" + "01" * 15, "one", ""]
        ).map(_static),
    ),
    st.builds(
        Binary,
        st.sampled_from(EQUALITY + ORDER),
        st.sampled_from([Intrinsic.EVENT_TIME_SINCE_START]).map(_intrinsic),
        st.integers(0, 3).map(lambda thousands: Static(StaticType.DURATION, thousands * 1000 - 500)),
    ),
)
chains = st.builds(
    lambda field, values, joined: reduce(
        partial(Binary, joined[0]), (Binary(joined[1], field, _static(value)) for value in values)
    ),
    st.one_of(
        attribute_fields,
        st.sampled_from([Intrinsic.SPAN_NAME, Intrinsic.EVENT_NAME, Intrinsic.TRACE_ROOT_NAME]).map(_intrinsic),
    ),
    st.lists(scalars, min_size=2, max_size=5),
    st.sampled_from(list(product((Operator.AND, Operator.OR), EQUALITY))),
)
expressions: st.SearchStrategy[FieldExpression] = st.recursive(
    st.one_of(comparisons, comparisons, comparisons, chains, attribute_fields, st.booleans().map(_static)),
    lambda inner: st.one_of(
        st.builds(Binary, st.sampled_from([Operator.AND, Operator.OR]), inner, inner),
        st.builds(Unary, st.just(Operator.NOT), inner),
    ),
    max_leaves=4,
)
filters = st.builds(SpansetFilter, expressions)
spansets: st.SearchStrategy[SpansetExpression] = st.recursive(
    st.one_of(filters, st.just(SpansetFilter(_static(True)))),
    lambda inner: st.builds(SpansetOperation, st.sampled_from(SpansetOperator), inner, inner),
    max_leaves=3,
)
aggregates = st.one_of(
    st.just(Aggregate("count")),
    st.builds(
        Aggregate,
        st.sampled_from(["min", "max", "sum", "avg"]),
        st.one_of(span_fields, st.just(_intrinsic(Intrinsic.SPAN_DURATION))),
    ),
)
scalar_filters = st.builds(
    ScalarFilter, st.sampled_from(EQUALITY + ORDER), aggregates, st.one_of(st.integers(-1, 3).map(_static), durations)
)
groups = st.builds(
    GroupBy,
    st.one_of(
        attribute_fields,
        st.sampled_from([Intrinsic.SPAN_NAME, Intrinsic.SPAN_STATUS, Intrinsic.SPAN_KIND]).map(_intrinsic),
    ),
)
stages = st.one_of(scalar_filters, groups, filters, st.just(Coalesce()), spansets)
pipelines = st.builds(lambda first, rest: Pipeline((first, *rest)), spansets, st.lists(stages, max_size=2))
