"""A trace comes back as it was sent, whatever it holds and wherever its spans lie."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData
from tests.backend.query.samples import catalogue, request, span, unit
from tests.backend.store.strategies import REQUESTS

from vivace.backend.query.otlp_json import json_of
from vivace.backend.query.rebuild import rebuild
from vivace.backend.store.decode import decode
from vivace.backend.store.unit import Unit

NO_PARENT = base64.b64encode(bytes(8)).decode()


def comparable(data: TracesData | ExportTraceServiceRequest) -> list[Any]:
    """The spans of a message, each with its resource and scope, without any order but their own."""
    found = [
        (
            _unordered(MessageToDict(one)),
            _unordered(MessageToDict(batch.resource)),
            batch.HasField("resource"),
            _unordered(MessageToDict(scope.scope)),
            scope.HasField("scope"),
            batch.schema_url,
            scope.schema_url,
        )
        for batch in data.resource_spans
        for scope in batch.scope_spans
        for one in scope.spans
    ]
    return sorted(found, key=repr)


def _unordered(value: Any) -> Any:
    """Attributes have no order, and a parent ID of zeros is none."""
    if isinstance(value, dict):
        if value.get("parentSpanId") == NO_PARENT:
            del value["parentSpanId"]
        return {
            key: sorted(map(_unordered, one), key=repr) if key == "attributes" else _unordered(one)
            for key, one in sorted(value.items())
        }
    return [_unordered(one) for one in value] if isinstance(value, list) else value


@settings(max_examples=30, deadline=None)
@given(sent=st.lists(REQUESTS, min_size=1, max_size=3), columns=st.sampled_from([2, 512]))
def test_every_trace_comes_back_as_it_was_sent(sent: Sequence[bytes], columns: int) -> None:
    bodies = [body if isinstance(body, bytes) else body.SerializeToString() for body in sent]
    units = tuple(Unit.in_memory(decode([body], columns)) for body in bodies)
    expected: dict[bytes, ExportTraceServiceRequest] = {}
    for body in bodies:
        for one in _by_trace(ExportTraceServiceRequest.FromString(body)):
            identity = one.resource_spans[0].scope_spans[0].spans[0].trace_id
            expected.setdefault(identity, ExportTraceServiceRequest()).MergeFrom(one)
    books = catalogue(*units)
    for identity, wanted in expected.items():
        found = comparable(rebuild(books.pieces(int.from_bytes(identity, "big")))[0])
        assert _distinct(found) == _distinct(comparable(wanted))


def _distinct(spans: Sequence[Any]) -> list[str]:
    """What was sent twice may be there once."""
    return sorted({repr(one) for one in spans})


def _by_trace(message: ExportTraceServiceRequest) -> list[ExportTraceServiceRequest]:
    """Each span as a request of its own."""
    found = []
    for batch in message.resource_spans:
        for scope in batch.scope_spans:
            for one in scope.spans:
                made = ExportTraceServiceRequest()
                made.resource_spans.add().CopyFrom(batch)
                del made.resource_spans[0].scope_spans[:]
                made.resource_spans[0].scope_spans.add().CopyFrom(scope)
                del made.resource_spans[0].scope_spans[0].spans[:]
                made.resource_spans[0].scope_spans[0].spans.add().CopyFrom(one)
                found.append(made)
    return found


def test_an_unknown_trace_is_empty() -> None:
    assert rebuild(catalogue(unit(request(span(1, 1)))).pieces(2)) == (TracesData(), True)


def test_json_has_bytes_in_base64_and_large_numbers_as_text() -> None:
    sent = request(
        span(1, 2, 3, name="n", kind=Span.SPAN_KIND_SERVER, attributes={"i": 5, "f": float("inf"), "b": None})
    )
    document: Any = json_of(rebuild(catalogue(unit(sent)).pieces(1))[0])
    (one,) = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert base64.b64decode(one["spanId"]) == (2).to_bytes(8, "big")
    assert one["kind"] == "SPAN_KIND_SERVER"
    assert one["endTimeUnixNano"] == str(int(one["startTimeUnixNano"]) + 1_000_000_000)
    values = {each["key"]: each["value"] for each in one["attributes"]}
    assert values == {"i": {"intValue": "5"}, "f": {"doubleValue": "Infinity"}, "b": {"bytesValue": "Pw=="}}
    assert document == MessageToDict(rebuild(catalogue(unit(sent)).pieces(1))[0])


def test_what_was_sent_twice_is_there_once() -> None:
    sent = request(span(1, 1, attributes={"x": 1}), span(1, 2))
    other = request(span(1, 1, attributes={"x": 2}))
    data, complete = rebuild(catalogue(unit(sent, sent), unit(sent), unit(other)).pieces(1))
    spans = [one for batch in data.resource_spans for inner in batch.scope_spans for one in inner.spans]
    assert complete
    assert sorted(one.span_id[-1] for one in spans) == [1, 1, 2]
    assert len(data.resource_spans) == 2


def test_what_was_sent_twice_is_there_once_wherever_its_attributes_are_kept() -> None:
    sent = request(span(1, 1, attributes={"a": 1, "b": 2}))
    more = request(span(2, 2, attributes={"b": 2}), span(2, 3, attributes={"b": 2}))
    data, _ = rebuild(catalogue(unit(sent), unit(sent, more, columns=1)).pieces(1))
    assert sum(len(inner.spans) for batch in data.resource_spans for inner in batch.scope_spans) == 1


@pytest.mark.parametrize("at_once", [7, 4096])
def test_a_trace_that_is_too_large_is_cut_near_the_bound(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr("vivace.backend.query.lookup._AT_ONCE", at_once)
    sent = [
        request(*(span(1, 1 + 50 * half + number, for_s=number) for number in range(50)), service=f"s{half}")
        for half in range(2)
    ]
    pieces = catalogue(unit(*sent)).pieces(1)
    whole, complete = rebuild(pieces)
    size, largest = whole.ByteSize(), 150
    assert (complete, len(_spans(whole))) == (True, 100)
    for most in (40, 500, size // 2, size - 100):
        data, complete = rebuild(pieces, most)
        assert not complete
        assert most - largest < data.ByteSize() <= most
        assert len(_spans(data)) < 100
        assert all(inner.spans for batch in data.resource_spans for inner in batch.scope_spans)
    assert rebuild(pieces, size) == (whole, True)


def test_a_trace_is_not_too_large_by_what_was_sent_twice() -> None:
    sent = request(*(span(1, 1 + number) for number in range(100)))
    pieces = catalogue(*(unit(sent) for _ in range(3))).pieces(1)
    whole, _ = rebuild(pieces)
    assert len(_spans(whole)) == 100
    assert rebuild(pieces, whole.ByteSize()) == (whole, True)


def _spans(data: TracesData) -> list[Span]:
    return [one for batch in data.resource_spans for inner in batch.scope_spans for one in inner.spans]
