"""What the oracle selects is what the query engine selects, and what it cannot tell it says."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

from vivace.query.oracle.selection import selection
from vivace.query.oracle.trace import SentTrace, Undecided, traces_of
from vivace.traceql.parser import parse
from vivace.traceql.tree import Pipeline

MS = 1_000_000


def attributes(**values: Any) -> list[KeyValue]:
    def any_value(value: Any) -> AnyValue:
        match value:
            case bool():
                return AnyValue(bool_value=value)
            case int():
                return AnyValue(int_value=value)
            case float():
                return AnyValue(double_value=value)
            case list():
                return AnyValue(array_value=ArrayValue(values=[any_value(one) for one in value]))
            case _:
                return AnyValue(string_value=str(value))

    return [KeyValue(key=key.replace("__", "."), value=any_value(value)) for key, value in values.items()]


def span(number: int, parent: int, start_ms: int, end_ms: int, **more: Any) -> Span:
    return Span(
        trace_id=b"t" * 16,
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        name=more.pop("name", f"span {number}"),
        kind=more.pop("kind", Span.SPAN_KIND_INTERNAL),
        start_time_unix_nano=start_ms * MS,
        end_time_unix_nano=end_ms * MS,
        status=Status(code=more.pop("status", Status.STATUS_CODE_UNSET)),
        events=more.pop("events", []),
        attributes=attributes(**more),
    )


def shop() -> SentTrace:
    """1 frontend -> 2 cart, 3 checkout -> 4 database (in error)."""
    parts = {
        "frontend": [span(1, 0, 0, 100, kind=Span.SPAN_KIND_SERVER, http__status=200, tags=["a", "b"])],
        "cart": [span(2, 1, 10, 30, http__status=404, items=3, price=1.5, paid=True)],
        "checkout": [
            span(3, 1, 30, 90, http__status=500, kind=Span.SPAN_KIND_CLIENT, events=[Span.Event(name="retry")]),
            span(4, 3, 40, 80, name="SELECT\nx", status=Status.STATUS_CODE_ERROR, db__rows=7),
        ],
    }
    data = TracesData(
        resource_spans=[
            ResourceSpans(
                resource=Resource(attributes=attributes(service__name=service)),
                scope_spans=[ScopeSpans(spans=spans)],
            )
            for service, spans in parts.items()
        ]
    )
    return SentTrace(b"t" * 16, traces_of(data)[b"t" * 16])


def selected(query: str) -> set[int]:
    root = parse(query).root
    assert isinstance(root, Pipeline)
    return {int(one.id, 16) for one in selection(root, shop())}


@pytest.mark.parametrize(
    ("query", "spans"),
    [
        ("{ }", {1, 2, 3, 4}),
        ("{ false }", set()),
        ('{ resource.service.name = "checkout" }', {3, 4}),
        ('{ resource.service.name =~ "c.*" }', {2, 3, 4}),
        ('{ resource.service.name !~ "c.*" }', {1}),
        ('{ name =~ "SELECT.x" }', {4}),
        ("{ span.http.status >= 404 }", {2, 3}),
        ("{ .http.status != 200 }", {2, 3}),
        ("{ .nowhere != 200 }", set()),
        ("{ .http.status = nil }", {4}),
        ("{ .db.rows != nil }", {4}),
        ("{ .price > 1 && .items = 3 }", {2}),
        ("{ .paid = true || status = error }", {2, 4}),
        ('{ .http.status = "200" }', set()),
        ("{ kind = server || kind = client }", {1, 3}),
        ("{ duration >= 60ms }", {1, 3}),
        ('{ trace:rootService = "frontend" && trace:duration = 100ms && status = error }', {4}),
        ('{ rootName = "span 1" && span:childCount = 2 }', {1}),
        ("{ !(.http.status = 200) && .http.status != nil }", {2, 3}),
        ('{ resource.service.name = "frontend" } >> { status = error }', {4}),
        ("{ .http.status = 200 } > { }", {2, 3}),
        ("{ status = error } << { }", {1, 3}),
        ("{ status = error } < { }", {3}),
        ("{ .items = 3 } ~ { }", {3}),
        ("{ status = error } && { .items = 3 }", {2, 4}),
        ("{ status = error } && { .items = 4 }", set()),
        ("{ .items = 4 } || { .items = 3 }", {2}),
        ("{ .http.status > 0 } | count() > 2", {1, 2, 3}),
        ("{ .http.status > 0 } | count() > 3", set()),
        ("{ .http.status > 0 } | max(duration) > 99ms", {1, 2, 3}),
        ("{ .http.status > 0 } | { .http.status > 300 } | select(.items)", {2, 3}),
        ("({ .items = 3 } | count() = 1) || { status = error }", {2, 4}),
    ],
)
def test_a_query_selects_spans(query: str, spans: set[int]) -> None:
    assert selected(query) == spans


@pytest.mark.parametrize(
    "query",
    [
        '{ event:name = "retry" }',
        '{ .tags = "a" }',
        "{ nestedSetLeft = 1 }",
        "{ } | by(resource.service.name)",
        "{ } | avg(duration) > 1ms",
        "{ .items + 1 = 4 }",
        "{ status = error } !> { }",
        "{ status = error } &> { }",
        "{ event.x = nil }",
        "{ !.http.status }",
    ],
)
def test_what_it_cannot_tell_it_says(query: str) -> None:
    with pytest.raises(Undecided):
        selected(query)


def test_what_decides_needs_no_more() -> None:
    assert selected('{ false && event:name = "retry" }') == set()
    assert selected('{ true || event:name = "retry" }') == {1, 2, 3, 4}
