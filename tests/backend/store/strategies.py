"""OTLP requests of every shape."""

from __future__ import annotations

from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    EntityRef,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

KEYS = st.sampled_from(["a", "b", "http.method", "service.name", "k:int", "dots.and spaces", "", "é"])
TEXTS = st.sampled_from(["", "GET", "some text", "x" * 200]) | st.text(max_size=4)
INTEGERS = st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63)]) | st.integers(-(2**63), 2**63 - 1)
COUNTS = st.sampled_from([0, 0, 1, 2**32 - 1])
TIMES = st.sampled_from([0, 1, 10**18, 10**18 + 5, 2**64 - 1])

SCALARS = st.one_of(
    st.builds(AnyValue, string_value=TEXTS),
    st.builds(AnyValue, int_value=INTEGERS),
    st.builds(AnyValue, double_value=st.floats()),
    st.builds(AnyValue, bool_value=st.booleans()),
)
UNUSUAL = st.builds(AnyValue) | st.builds(AnyValue, bytes_value=st.binary(max_size=3))
VALUES = st.one_of(
    SCALARS,
    SCALARS,
    UNUSUAL,
    st.recursive(
        SCALARS | UNUSUAL,
        lambda inner: (
            st.builds(AnyValue, array_value=st.builds(ArrayValue, values=st.lists(inner, max_size=3)))
            | st.builds(
                AnyValue,
                kvlist_value=st.builds(
                    KeyValueList,
                    values=st.lists(
                        st.builds(KeyValue, key=KEYS, value=inner) | st.builds(KeyValue, key=KEYS), max_size=2
                    ),
                ),
            )
        ),
        max_leaves=6,
    ),
    st.builds(lambda text: AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=text)] * 2)), TEXTS),
)
ATTRIBUTES = st.lists(st.builds(KeyValue, key=KEYS, value=VALUES) | st.builds(KeyValue, key=KEYS), max_size=5)
TRACE_IDS = st.sampled_from([bytes(15) + b"\1", b"\xff" * 16, b"\1" + bytes(15), bytes(16)])
SPAN_IDS = st.sampled_from([bytes(7) + b"\1", b"\xff" * 8]) | st.binary(min_size=8, max_size=8).filter(any)
NO_ID = st.just(b"")

EVENTS = st.builds(Span.Event, time_unix_nano=TIMES, name=TEXTS, attributes=ATTRIBUTES, dropped_attributes_count=COUNTS)
LINKS = st.builds(
    Span.Link,
    trace_id=TRACE_IDS | NO_ID,
    span_id=SPAN_IDS | NO_ID | st.just(bytes(8)),
    trace_state=TEXTS,
    attributes=ATTRIBUTES,
    dropped_attributes_count=COUNTS,
    flags=COUNTS,
)
SPANS = st.builds(
    Span,
    trace_id=TRACE_IDS,
    span_id=SPAN_IDS,
    trace_state=TEXTS,
    parent_span_id=SPAN_IDS | NO_ID | st.just(bytes(8)),
    flags=COUNTS,
    name=TEXTS,
    kind=st.integers(0, 5) | st.just(100),
    start_time_unix_nano=TIMES,
    end_time_unix_nano=TIMES,
    attributes=ATTRIBUTES,
    dropped_attributes_count=COUNTS,
    events=st.lists(EVENTS, max_size=3),
    dropped_events_count=COUNTS,
    links=st.lists(LINKS, max_size=2),
    dropped_links_count=COUNTS,
    status=st.none() | st.builds(Status, message=TEXTS, code=st.integers(0, 2)),
)
SCOPES = st.none() | st.builds(
    InstrumentationScope, name=TEXTS, version=TEXTS, attributes=ATTRIBUTES, dropped_attributes_count=COUNTS
)
RESOURCES = st.none() | st.builds(
    Resource,
    attributes=ATTRIBUTES,
    dropped_attributes_count=COUNTS,
    entity_refs=st.lists(st.builds(EntityRef, type=TEXTS, id_keys=st.lists(TEXTS, max_size=2)), max_size=1),
)
REQUESTS = st.builds(
    ExportTraceServiceRequest,
    resource_spans=st.lists(
        st.builds(
            ResourceSpans,
            resource=RESOURCES,
            scope_spans=st.lists(
                st.builds(ScopeSpans, scope=SCOPES, spans=st.lists(SPANS, max_size=3), schema_url=TEXTS), max_size=2
            ),
            schema_url=TEXTS,
        ),
        max_size=3,
    ),
).map(lambda request: request.SerializeToString())
