"""However a template is cut, all telemetry is sent once per replay, and requests agree on the IDs that they share."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from vivace.send.cut import MOST_SPANS, Batching, Per, cut
from vivace.telemetry.patch import Patcher
from vivace.telemetry.places import build
from vivace.telemetry.template import Template

T0 = 1_700_000_000_000_000_000

ENTRIES = st.lists(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), min_size=1, max_size=3), min_size=1, max_size=8
)
"""Of each entry, its scopes: which trace (counted from the entry's number: neighbours share), how many spans."""


def data_of(entries: list[list[tuple[int, int]]]) -> TracesData:
    data, number = TracesData(), 0
    for place, scopes in enumerate(entries):
        entry = data.resource_spans.add(schema_url=f"schema {place}")
        entry.resource.attributes.add(key="service.name").value.string_value = f"service {place % 3}"
        for trace, spans in scopes:
            scope = entry.scope_spans.add(schema_url="of the scope")
            scope.scope.name = "library"
            for _ in range(spans):
                number += 1
                scope.spans.add(
                    trace_id=(1 + (place + trace) // 2).to_bytes(16, "big"),
                    span_id=number.to_bytes(8, "big"),
                    name=f"span {number}",
                    start_time_unix_nano=1_000_000_000 + number,
                    end_time_unix_nano=1_000_000_500 + number,
                )
    return data


def template_of(data: TracesData) -> Template:
    return build(np.frombuffer(data.SerializeToString(), np.uint8), "template")


def described(requests: list[bytes]) -> list[tuple[str, str, str, bytes, bytes, int]]:
    """Every span: its name, its resource, its scope, its IDs, how long it took."""
    return sorted(
        (
            span.name,
            entry.resource.attributes[0].value.string_value + entry.schema_url,
            scope.scope.name + scope.schema_url,
            span.trace_id,
            span.span_id,
            span.end_time_unix_nano - span.start_time_unix_nano,
        )
        for request in requests
        for entry in TracesData.FromString(request).resource_spans
        for scope in entry.scope_spans
        for span in scope.spans
    )


def replayed(template: Template, replay: int = 1) -> list[bytes]:
    patcher = Patcher(template, 3)
    return [patcher.patch(number + replay * len(template), T0) for number in range(len(template))]


BATCHINGS = st.one_of(
    st.builds(Batching, st.sampled_from([Per.TRACES, Per.ITEMS]), st.integers(1, 9)),
    st.builds(Batching, st.just(Per.BYTES), st.integers(1, 2000)),
    st.just(Batching(Per.SERVICE)),
)


@given(ENTRIES, BATCHINGS)
@settings(deadline=None, max_examples=60)
def test_nothing_is_lost_and_ids_agree(entries: list[list[tuple[int, int]]], batching: Batching) -> None:
    template = template_of(data_of(entries))
    again = cut(template, batching)
    before, after = described(replayed(template)), described(replayed(again))
    names = [row[:3] + row[5:] for row in before]
    assert [row[:3] + row[5:] for row in after] == names
    assert Counter(Counter(row[3] for row in after).values()) == Counter(Counter(row[3] for row in before).values())
    traces = dict(zip((row[3] for row in before), (row[3] for row in after), strict=True))
    assert all(traces[old[3]] == new[3] for old, new in zip(before, after, strict=True))
    assert len({row[4] for row in after}) == len(after)
    assert sum(again.requests.items.tolist()) == len(after)


@given(ENTRIES, BATCHINGS)
@settings(deadline=None, max_examples=40)
def test_requests_are_as_large_as_wanted(entries: list[list[tuple[int, int]]], batching: Batching) -> None:
    again = cut(template_of(data_of(entries)), batching)
    for number, request in enumerate(replayed(again)):
        data = TracesData.FromString(request)
        spans = [span for entry in data.resource_spans for scope in entry.scope_spans for span in scope.spans]
        assert len(spans) == again.requests.items[number]
        if batching.per is Per.SERVICE:
            assert len(data.resource_spans) == 1
        if batching.per is Per.ITEMS:
            assert len(spans) <= batching.most
        if batching.per is Per.BYTES:
            assert len(request) <= batching.most or len(data.resource_spans) == 1


def test_traces_are_gathered_into_requests() -> None:
    data = data_of([[(place, 2)] for place in range(0, 40, 2)])
    template = template_of(data)
    assert len(template) == 20
    again = cut(template, Batching(Per.TRACES, 8))
    assert again.requests.traces.tolist() == [8, 8, 4]
    assert again.requests.items.tolist() == [16, 16, 8]


def test_traces_of_more_than_ten_thousand_spans_are_split() -> None:
    data = TracesData()
    scope = data.resource_spans.add().scope_spans.add()
    for span in range(2 * MOST_SPANS + 5):
        scope.spans.add(
            trace_id=bytes(15) + b"\1",
            span_id=(span + 1).to_bytes(8, "big"),
            start_time_unix_nano=1,
            end_time_unix_nano=2,
        )
    again = cut(template_of(data), Batching(Per.TRACES, 100))
    assert again.requests.items.tolist() == [MOST_SPANS, MOST_SPANS, 5]
    assert len({row[3] for row in described_without_resource(replayed(again))}) == 1


def described_without_resource(requests: list[bytes]) -> list[tuple[str, str, str, bytes]]:
    return [
        (span.name, "", "", span.trace_id)
        for request in requests
        for entry in TracesData.FromString(request).resource_spans
        for scope in entry.scope_spans
        for span in scope.spans
    ]


@pytest.mark.parametrize("batching", [Batching(Per.ITEMS, 70), Batching(Per.ITEMS, 100_000), Batching(Per.BYTES, 5000)])
def test_logs_and_metrics_can_be_cut_too(batching: Batching, tmp_path: Path) -> None:
    from opentelemetry.proto.logs.v1.logs_pb2 import LogsData

    logs = LogsData()
    for resource in range(12):
        scope = logs.resource_logs.add().scope_logs.add()
        for record in range(100):
            scope.log_records.add(
                time_unix_nano=1_000_000_000 + record,
                trace_id=(1 + resource // 5).to_bytes(16, "big"),
                span_id=(1 + record).to_bytes(8, "big"),
            )
    path = tmp_path / "some-logs.pb"
    path.write_bytes(logs.SerializeToString())
    again = cut(Template.open(path), batching)
    records = [
        record
        for request in replayed(again)
        for entry in LogsData.FromString(request).resource_logs
        for scope in entry.scope_logs
        for record in scope.log_records
    ]
    assert len(records) == 1200
    assert again.requests.items.sum() == 1200
    if batching.per is Per.ITEMS:
        assert again.requests.items.max() <= batching.most
