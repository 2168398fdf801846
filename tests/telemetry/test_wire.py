from __future__ import annotations

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

from vivace.errors import TemplateError
from vivace.telemetry import wire
from vivace.telemetry.wire import REQUIRED_TIME, TRACES, Message, scan

ids = st.binary(min_size=8, max_size=8)
trace_ids = st.binary(min_size=16, max_size=16)
instants = st.integers(1, 2**64 - 1)
texts = st.text(max_size=200)
events = st.builds(Span.Event, time_unix_nano=st.integers(0, 2**64 - 1), name=texts)
links = st.builds(Span.Link, trace_id=trace_ids, span_id=ids, trace_state=texts)
spans = st.builds(
    Span,
    trace_id=trace_ids,
    span_id=ids,
    parent_span_id=st.one_of(st.just(b""), ids),
    name=texts,
    trace_state=texts,
    kind=st.integers(0, 5),
    start_time_unix_nano=instants,
    end_time_unix_nano=instants,
    flags=st.integers(0, 2**32 - 1),
    dropped_attributes_count=st.integers(0, 2**32 - 1),
    events=st.lists(events, max_size=3),
    links=st.lists(links, max_size=2),
)
scopes = st.builds(ScopeSpans, spans=st.lists(spans, max_size=4), schema_url=texts)
entries = st.builds(ResourceSpans, scope_spans=st.lists(scopes, max_size=3), schema_url=texts)
requests = st.builds(TracesData, resource_spans=st.lists(entries, max_size=3))

Facts = tuple[bytes, bytes, bytes, int, int, list[int], list[bytes]]


def expected(payload: bytes) -> list[Facts]:
    return [
        (
            span.trace_id,
            span.span_id,
            span.parent_span_id,
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            [event.time_unix_nano for event in span.events],
            [link.trace_id + link.span_id for link in span.links],
        )
        for entry in TracesData.FromString(payload).resource_spans
        for scope in entry.scope_spans
        for span in scope.spans
    ]


def scanned(payload: bytes) -> list[Facts]:
    found = scan(np.frombuffer(payload, np.uint8), TRACES, "bytes")

    def part(place: int, size: int) -> bytes:
        return payload[place : place + size] if place >= 0 else b""

    def number(place: int) -> int:
        return int.from_bytes(part(place, 8), "little")

    facts = []
    events, links = found["events"], found["links"]
    for row in range(found["spans"].start.size):
        leaves = {name: int(places[row]) for name, places in found["spans"].leaves.items()}
        own_events = np.flatnonzero(events.owner == row)
        own_links = np.flatnonzero(links.owner == row)
        facts.append(
            (
                part(leaves["trace_id"], 16),
                part(leaves["span_id"], 8),
                part(leaves["parent_span_id"], 8),
                number(leaves["start"]),
                number(leaves["end"]),
                [number(int(place)) for place in events.leaves["time"][own_events]],
                [
                    part(int(links.leaves["trace_id"][link]), 16) + part(int(links.leaves["span_id"][link]), 8)
                    for link in own_links
                ],
            )
        )
    return facts


def field(number: int, kind: int, content: bytes) -> bytes:
    """A field with a tag of one byte."""
    size = bytes([len(content)]) if kind == 2 else b""
    return bytes([number << 3 | kind]) + size + content


def nested(span: bytes) -> bytes:
    """A request with one span of these bytes."""
    return field(1, 2, field(2, 2, field(2, 2, span)))


IDENTITY = field(1, 2, b"t" * 16) + field(2, 2, b"s" * 8)
TIMES = field(7, 1, b"12345678") + field(8, 1, b"23456789")
SPAN = IDENTITY + TIMES


@pytest.fixture(params=["one by one", "in lockstep"])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of reading must see the same."""
    monkeypatch.setattr(wire, "LOCKSTEP_LEAST", 1 << 30 if request.param == "one by one" else 1)
    return str(request.param)


@pytest.mark.parametrize("least", [1, 3, 1 << 30])
@given(request=requests)
@settings(max_examples=60, deadline=None)
def test_sees_what_the_protobuf_library_sees(least: int, request: TracesData) -> None:
    payload = request.SerializeToString()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire, "LOCKSTEP_LEAST", least)
        assert scanned(payload) == expected(payload)


@pytest.mark.parametrize("least", [1, 3, 1 << 30])
@given(
    request=requests.filter(lambda request: request.ByteSize() > 0),
    mutations=st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.integers(0, 2**20),
    cutting=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_damaged_bytes_are_refused_or_read_as_the_protobuf_library_reads_them(
    least: int, request: TracesData, mutations: list[tuple[int, int]], cut: int, cutting: bool
) -> None:
    damaged = bytearray(request.SerializeToString())
    for place, byte in mutations:
        damaged[place % len(damaged)] = byte
    payload = bytes(damaged[: cut % len(damaged)]) if cutting else bytes(damaged)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire, "LOCKSTEP_LEAST", least)
        try:
            facts = scanned(payload)
        except TemplateError:
            return
    try:
        known = expected(payload)
    except DecodeError:  # the library also refuses what is wrong in parts that the scanner skips
        return
    assert facts == known


@pytest.mark.usefixtures("reading")
class TestOneMessage:
    def test_fields_in_any_order_repeated_and_unknown(self) -> None:
        span = (
            field(8, 1, b"00000000")
            + bytes([0xFA, 0x07, 3]) + b"new"  # field 127
            + field(14, 0, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
            + field(2, 2, b"x" * 8)
            + bytes([0x85, 0x01]) + b"flag"  # field 16, fixed32
            + TIMES
            + field(4, 2, b"p" * 8)
            + IDENTITY
            + field(4, 2, b"")
        )  # fmt: skip
        payload = nested(span)
        assert scanned(payload) == expected(payload)
        assert scanned(payload)[0][2] == b""

    def test_lengths_of_more_bytes_than_needed(self) -> None:
        span = SPAN + bytes([5 << 3 | 2, 0x81, 0x80, 0x80, 0x00]) + b"n"
        assert scanned(nested(span)) == expected(nested(span))

    def test_no_spans(self) -> None:
        assert scanned(b"") == []
        assert scanned(field(1, 2, b"")) == []

    @pytest.mark.parametrize(
        ("span", "reason"),
        [
            (SPAN[:-1], "does not end|too long"),
            (SPAN + bytes([9 << 3 | 2, 100]), "does not end"),
            (SPAN + bytes([9 << 3 | 2, 0x80]), "does not end"),
            (SPAN + bytes([0x80]), "does not end|not well formed"),
            (field(1, 2, b"t" * 15) + SPAN, "trace_id has 15 bytes, not 16"),
            (field(2, 2, b"s" * 9) + SPAN, "span_id has 9 bytes, not 8"),
            (SPAN + field(4, 2, b"p" * 7), "parent_span_id has 7 bytes, not 8"),
            (SPAN + field(13, 2, field(1, 2, b"t" * 16)), "span_id is missing"),
            (SPAN + field(1, 0, b"\x05"), "wrong wire type"),
            (SPAN + field(7, 5, b"1234"), "wrong wire type"),
            (SPAN + field(11, 0, b"\x05"), "wrong wire type"),
            (IDENTITY + TIMES[:9], "end is missing"),
            (field(2, 2, b"s" * 8) + TIMES, "trace_id is missing"),
            (SPAN + field(1, 2, b""), "trace_id is missing"),
            (SPAN + field(3, 3, b"") + field(3, 4, b""), "not well formed"),
            (SPAN + field(3, 6, b""), "not well formed"),
            (SPAN + field(0, 0, b"\x01"), "not well formed"),
            (SPAN + bytes([0xFA, 0x80, 0x80, 0x80, 0x7F, 0]), "not well formed|too long"),
            (SPAN + bytes([10 << 3, *([0x80] * 10), 1]), "not well formed|too long"),
            (SPAN + bytes([9 << 3 | 2, *([0x80] * 6), 0]), "not well formed|too long"),
        ],
    )
    def test_refuses_what_is_not_otlp(self, span: bytes, reason: str) -> None:
        with pytest.raises(TemplateError, match=rf"^bytes: not OTLP, or truncated: .*({reason})"):
            scanned(nested(span))


def test_a_table_describes_another_signal() -> None:
    points = [NumberDataPoint(start_time_unix_nano=7, time_unix_nano=moment, as_int=3) for moment in (50, 60, 70)]
    metrics = [Metric(name="load", gauge=Gauge(data_points=points[:2])), Metric(gauge=Gauge(data_points=points[2:]))]
    payload = MetricsData(
        resource_metrics=[ResourceMetrics(scope_metrics=[ScopeMetrics(metrics=metrics)])]
    ).SerializeToString()
    point = Message({2: ("start", REQUIRED_TIME), 3: ("time", REQUIRED_TIME)})
    metric = Message({5: ("gauge", Message({1: ("points", point)}))})
    table = Message({1: ("entries", Message({2: ("scopes", Message({2: ("metrics", metric)}))}))})
    found = scan(np.frombuffer(payload, np.uint8), table, "bytes")
    assert [payload[place] for place in found["points"].leaves["time"]] == [50, 60, 70]
    assert [payload[place] for place in found["points"].leaves["start"]] == [7, 7, 7]
    assert found["points"].owner.tolist() == [0, 0, 1]
