"""Messages at the end of a path, against the protobuf library."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from vivace.send.sink.members import members

PATH = (1, 2, 2)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.lists(st.text(max_size=200), max_size=4), max_size=3), max_size=3), st.text(max_size=300))
def test_the_same_messages_as_the_library_finds(resources: list[list[list[str]]], url: str) -> None:
    request = ExportTraceServiceRequest()
    for scopes in resources:
        resource = request.resource_spans.add(schema_url=url)
        for names in scopes:
            scope = resource.scope_spans.add(schema_url=url)
            for name in names:
                scope.spans.add(name=name, flags=7, start_time_unix_nano=1)
    data = request.SerializeToString()
    found = [data[start:stop] for start, stop in members(data, PATH, (0, len(data)))]
    spans = [span for one in request.resource_spans for scope in one.scope_spans for span in scope.spans]
    assert found == [span.SerializeToString() for span in spans]


@given(st.binary(max_size=40))
def test_any_bytes_are_found_in_or_refused(data: bytes) -> None:
    try:
        found = members(data, PATH, (0, len(data)))
    except ValueError:
        return
    assert all(0 <= start <= stop <= len(data) for start, stop in found)


@pytest.mark.parametrize("data", [b"\x0a", b"\x0a\xff", b"\x0a\x05abc", b"\x08", b"\x0b", b"\x0d\x01", b"\x80" * 11])
def test_what_does_not_add_up_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not OTLP"):
        members(data, (1,), (0, len(data)))
