"""Traces stay whole, nothing is lost, and what is far apart in time is kept apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.backend.store.rebuild import sent_spans, stored_spans
from tests.backend.store.sample import request
from tests.backend.store.strategies import REQUESTS

from vivace.backend.store.decode import decode
from vivace.backend.store.tables import Tables
from vivace.backend.store.window import by_window, trace_ends, traces_of

HOUR = 3600 * 10**9


def at(hours: Sequence[int]) -> list[bytes]:
    """A request of one trace for each of the hours."""
    bodies = []
    for seed, hour in enumerate(hours):
        message = ExportTraceServiceRequest.FromString(request(seed, traces=1))
        message.resource_spans[0].resource.attributes[0].value.string_value = f"service of {hour}"
        for span in message.resource_spans[0].scope_spans[0].spans:
            span.start_time_unix_nano += hour * HOUR
            span.end_time_unix_nano += hour * HOUR
        bodies.append(message.SerializeToString())
    return bodies


def all_spans(parts: Sequence[Tables]) -> Counter[bytes]:
    return sum((stored_spans(part) for part in parts), start=Counter())


def hours_of(tables: Tables) -> set[int]:
    return {int(end // HOUR - 1_700_000_000 * 10**9 // HOUR) for end in trace_ends(tables)}


@pytest.mark.parametrize(
    ("hours", "together"),
    [
        ([0, 0, 0], [{0}]),
        ([0, 1], [{0, 1}]),
        ([0, 0, 5, 900], [{0}, {5}, {900}]),
        ([0, 1, 2, 3, 50], [{0, 1, 2}, {3}, {50}]),
        ([0, 10, 11, 30], [{0}, {10, 11}, {30}]),
    ],
)
def test_what_is_far_apart_is_kept_apart(hours: list[int], together: list[set[int]]) -> None:
    parts = by_window(decode(at(hours)), most=3)
    assert [hours_of(part) for part in parts] == together
    assert all_spans(parts) == sent_spans(at(hours))


def test_a_part_knows_nothing_of_the_others() -> None:
    first, second = by_window(decode(at([0, 100])))
    for part, hour in ((first, 0), (second, 100)):
        names = part.resources.column("resource.service.name:str")
        assert names.dictionary.to_pylist() == [f"service of {hour}"]
        assert part.traces.column("first").to_pylist() == [0]
        for batch in part.values():
            batch.validate(full=True)


def test_columns_without_a_value_go() -> None:
    bodies = at([0, 100])
    message = ExportTraceServiceRequest.FromString(bodies[0])
    message.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="rare").value.int_value = 1
    first, second = by_window(decode([message.SerializeToString(), bodies[1]]))
    assert "span.rare:int" in first.spans.schema.names
    assert "span.rare:int" not in second.spans.schema.names


def test_nothing_is_one_part() -> None:
    assert len(by_window(decode([]))) == 1


@settings(max_examples=40, deadline=None)
@given(st.lists(REQUESTS, min_size=1, max_size=3), st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 512]))
def test_traces_are_taken_whole(bodies: list[bytes], seed: int, columns: int) -> None:
    tables = decode(bodies, columns)
    part = np.random.default_rng(seed).integers(0, 2, tables.traces.num_rows)
    parts = [traces_of(tables, np.flatnonzero(part == number)) for number in (0, 1)]
    assert all_spans(parts) == stored_spans(tables)
    assert all_spans(by_window(tables)) == stored_spans(tables)
    for batch in (batch for one in parts for batch in one.values()):
        batch.validate(full=True)
