"""Spans are compared field by field, whatever their order and grouping; every difference is named."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

from vivace.measure.probing.spans import compare, spans_of

TRACE = bytes(range(16))


def attribute(key: str, value: str | int) -> KeyValue:
    return KeyValue(
        key=key, value=AnyValue(string_value=value) if isinstance(value, str) else AnyValue(int_value=value)
    )


def trace(spans: int = 4) -> TracesData:
    """Two services with two scopes each, all of one trace."""
    data = TracesData()
    for n in range(spans):
        of_resource = data.resource_spans.add(schema_url="https://example.org/1")
        of_resource.resource.attributes.extend([attribute("service.name", f"s{n % 2}"), attribute("host", "h")])
        of_scope = of_resource.scope_spans.add()
        of_scope.scope.name, of_scope.scope.version = "lib", str(n % 2)
        span = of_scope.spans.add(
            trace_id=TRACE, span_id=bytes([n + 1] * 8), name=f"op {n}", kind=Span.SPAN_KIND_SERVER
        )
        span.start_time_unix_nano, span.end_time_unix_nano = 10**18 + n, 10**18 + n + 5
        span.attributes.extend([attribute("http.method", "GET"), attribute("http.status", 200 + n)])
        span.events.add(name="e", time_unix_nano=5).attributes.extend([attribute("x", 1), attribute("y", 2)])
        span.links.add(trace_id=TRACE[::-1], span_id=b"\1" * 8)
        span.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message="no"))
    return data


def shuffled(data: TracesData, seed: int) -> TracesData:
    """The same spans in another order and grouping."""
    chance = random.Random(seed)  # noqa: S311 - repeatable
    result = TracesData()
    flat = [(r, s, span) for r in data.resource_spans for s in r.scope_spans for span in s.spans]
    chance.shuffle(flat)
    for r, s, span in flat:
        if result.resource_spans and chance.random() < 0.5 and _same(result.resource_spans[-1], r, s):
            of_scope = result.resource_spans[-1].scope_spans[-1]
        else:
            of_resource = result.resource_spans.add(schema_url=r.schema_url)
            of_resource.resource.CopyFrom(r.resource)
            of_resource.resource.attributes.reverse()
            of_scope = of_resource.scope_spans.add(schema_url=s.schema_url)
            of_scope.scope.CopyFrom(s.scope)
        copy = of_scope.spans.add()
        copy.CopyFrom(span)
        copy.attributes.reverse()
        for event in copy.events:
            event.attributes.reverse()
    return result


def _same(last: ResourceSpans, r: ResourceSpans, s: ScopeSpans) -> bool:
    mine = {a.key: a.value.string_value for a in last.resource.attributes}
    return (
        mine == {a.key: a.value.string_value for a in r.resource.attributes} and last.scope_spans[-1].scope == s.scope
    )


def difference(change: Callable[[TracesData], object]) -> str | None:
    sent, read = trace(), trace()
    change(read)
    result = compare(spans_of(sent.SerializeToString(), TRACE), spans_of(read.SerializeToString(), TRACE))
    assert result.complete
    return result.difference


def first(data: TracesData) -> Span:
    return data.resource_spans[0].scope_spans[0].spans[0]


@given(st.integers(0, 2**32), st.integers(1, 12))
@settings(max_examples=50, deadline=None)
def test_order_and_grouping_do_not_matter(seed: int, spans: int) -> None:
    sent = trace(spans)
    read = shuffled(sent, seed)
    result = compare(spans_of(sent.SerializeToString(), TRACE), spans_of(read.SerializeToString(), TRACE))
    assert (result.sent, result.found, result.difference) == (spans, spans, None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: setattr(first(t), "name", "other"), "name was sent as 'op 0' and read as 'other'"),
        (lambda t: setattr(first(t), "end_time_unix_nano", 7), "end_time_unix_nano was sent as 1000000000000000005"),
        (lambda t: setattr(first(t), "kind", 0), "kind was sent as 2 and read as nothing"),
        (
            lambda t: setattr(first(t), "parent_span_id", b"\2" * 8),
            "parent_span_id was sent as nothing and read as 0202",
        ),
        (lambda t: setattr(first(t), "trace_state", "a=1"), "trace_state was sent as nothing and read as 'a=1'"),
        (
            lambda t: setattr(first(t), "dropped_links_count", 1),
            "dropped_links_count was sent as nothing and read as 1",
        ),
        (lambda t: setattr(first(t).status, "code", 1), "status.code was sent as 2 and read as 1"),
        (lambda t: setattr(first(t).status, "message", ""), "status.message was sent as 'no' and read as ''"),
        (lambda t: first(t).attributes.pop(), "attribute http.status was sent as int_value: 200 and read as nothing"),
        (lambda t: first(t).attributes.add(key="z"), "attribute z was sent as nothing and read as empty"),
        (
            lambda t: setattr(first(t).attributes[1].value, "string_value", "200"),
            'attribute http.status was sent as int_value: 200 and read as string_value: "200"',
        ),
        (lambda t: first(t).events.pop(), "1 events were sent and 0 read"),
        (lambda t: setattr(first(t).events[0], "name", "f"), "of its events one was read otherwise than it was sent"),
        (lambda t: first(t).links.pop(), "1 links were sent and 0 read"),
        (
            lambda t: setattr(t.resource_spans[0].resource.attributes[0].value, "string_value", "s9"),
            'resource.attribute service.name was sent as string_value: "s0" and read as string_value: "s9"',
        ),
        (lambda t: setattr(t.resource_spans[0], "schema_url", ""), "resource.schema_url was sent as 'https://example"),
        (lambda t: setattr(t.resource_spans[0].scope_spans[0].scope, "version", "9"), "scope.version was sent as '0'"),
    ],
)
def test_every_difference_is_named(change: Callable[[TracesData], object], words: str) -> None:
    said = difference(change)
    assert said is not None
    assert said.startswith(f"span 0101010101010101: {words}")


def test_several_differences_of_a_span_are_counted() -> None:
    def change(data: TracesData) -> None:
        first(data).name, first(data).trace_state = "x", "a=1"

    said = difference(change)
    assert said is not None
    assert said.endswith(", and 1 more fields differ")


def test_a_span_that_is_there_twice() -> None:
    said = difference(lambda t: t.resource_spans[0].scope_spans[0].spans.append(first(t)))
    assert said == "span 0101010101010101 is there more than once"


def test_a_span_that_was_not_sent() -> None:
    def add(data: TracesData) -> None:
        data.resource_spans[0].scope_spans[0].spans.add(trace_id=TRACE, span_id=b"\xff" * 8)

    assert difference(add) == "span ffffffffffffffff is there but was not sent"
    sent, read = trace(), trace()
    add(read)
    parts = compare(spans_of(sent.SerializeToString(), TRACE), spans_of(read.SerializeToString(), TRACE), whole=False)
    assert parts.difference is None


def test_spans_that_are_not_there_are_counted() -> None:
    read = trace()
    del read.resource_spans[1:3]
    result = compare(spans_of(trace().SerializeToString(), TRACE), spans_of(read.SerializeToString(), TRACE))
    assert (result.found, result.complete, result.difference) == (2, False, None)


def test_other_traces_do_not_matter() -> None:
    read = trace()
    read.resource_spans[0].scope_spans[0].spans.add(trace_id=TRACE[::-1], span_id=b"\xff" * 8)
    assert spans_of(read.SerializeToString(), TRACE) == spans_of(trace().SerializeToString(), TRACE)


def test_what_is_not_otlp_is_refused() -> None:
    with pytest.raises(DecodeError):
        spans_of(b"\xff\xff\xff", TRACE)
