from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status
from tests.backend.store.rebuild import distinct_spans, sent_spans, stored_spans
from tests.backend.store.sample import number, request, text
from tests.backend.store.strategies import REQUESTS

from vivace.backend.store.block import BlockSource, write_block
from vivace.backend.store.decode import ATTRIBUTE_COLUMNS, decode
from vivace.backend.store.merge import merge
from vivace.backend.store.segment import read_segment, write_segment
from vivace.backend.store.tables import Tables

BOUNDS = st.sampled_from([0, 1, 3, ATTRIBUTE_COLUMNS])


def reordered(contents: bytes, randomness: random.Random) -> bytes:
    """A request that says the same with attributes in another order; not those of one key."""
    message = ExportTraceServiceRequest.FromString(contents)
    for resource_spans in message.resource_spans:
        holders: list[Any] = [resource_spans.resource] if resource_spans.HasField("resource") else []
        for scope_spans in resource_spans.scope_spans:
            holders += [scope_spans.scope] if scope_spans.HasField("scope") else []
            for span in scope_spans.spans:
                holders += [span, *span.events, *span.links]
        for holder in holders:
            by_key = defaultdict(list)
            for attribute in holder.attributes:
                by_key[attribute.key].append(attribute)
            keys = [attribute.key for attribute in holder.attributes]
            randomness.shuffle(keys)
            in_order = {key: iter(attributes) for key, attributes in by_key.items()}
            attributes = [next(in_order[key]) for key in keys]
            del holder.attributes[:]
            holder.attributes.extend(attributes)
    return message.SerializeToString()


@given(st.data(), st.lists(REQUESTS, min_size=1, max_size=3), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_a_span_is_there_once_however_often_it_was_sent(
    data: st.DataObject, requests: list[bytes], randomness: random.Random
) -> None:
    again = data.draw(st.lists(st.sampled_from(requests), max_size=4))
    sent = [*requests, *(reordered(contents, randomness) for contents in again)]
    randomness.shuffle(sent)
    units: list[Tables] = []
    while sent:
        count = data.draw(st.integers(1, len(sent)))
        units.append(decode(sent[:count], data.draw(BOUNDS)))
        del sent[:count]
    while len(units) > 1:
        count = data.draw(st.integers(2, len(units)))
        units = [merge(units[:count], data.draw(BOUNDS)), *units[count:]]
    assert stored_spans(units[0]) == distinct_spans(requests)
    assert_in_order(units[0])


def assert_in_order(tables: Tables) -> None:
    """Traces by ID, each whole, its spans by start; nothing refers to what is not there."""
    traces, spans = tables.traces.to_pydict(), tables.spans.to_pydict()
    identities = list(zip(traces["trace_hi"], traces["trace_lo"], strict=True))
    assert identities == sorted(set(identities))
    assert traces["count"] == np.bincount(spans["trace"], minlength=len(identities)).tolist()
    assert traces["first"] == [spans["trace"].index(row) for row in range(len(identities))]
    order = list(zip(spans["trace"], spans["start"], strict=True))
    assert order == sorted(order)
    for table, reference in (("resources", "resource"), ("scopes", "scope")):
        assert set(spans[reference]) <= set(range(tables[table].num_rows))
    for table in ("events", "links"):
        owners = tables[table].column("span").to_pylist()
        assert owners == sorted(owners)
    for entry in tables.overflow.to_pylist():
        assert entry["row"] < tables[entry["table"]].num_rows


def whole() -> ResourceSpans:
    """A span that has everything."""
    batch = ResourceSpans(schema_url="resource schema")
    batch.resource.attributes.extend([text("service.name", "shop"), number("a", 1), text("r", "x"), text("r", "y")])
    inner = batch.scope_spans.add(schema_url="scope schema")
    inner.scope.name, inner.scope.version = "sample", "1"
    inner.scope.attributes.append(text("s", "t"))
    span = inner.spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, parent_span_id=b"p" * 8, name="step")
    span.kind = Span.SPAN_KIND_SERVER
    span.start_time_unix_nano, span.end_time_unix_nano = 1000, 2000
    span.trace_state, span.flags = "a=b", 1
    span.status.code, span.status.message = Status.STATUS_CODE_OK, "fine"
    numbers = AnyValue(array_value=ArrayValue(values=[AnyValue(double_value=value) for value in (0.0, 1.5)]))
    nested = AnyValue(kvlist_value=KeyValueList(values=[number("inner", 1)]))
    span.attributes.extend([number("n", 1), KeyValue(key="l", value=numbers), KeyValue(key="m", value=nested)])
    span.attributes.extend([text("twice", "x"), text("twice", "y"), KeyValue(key="nothing")])
    span.attributes.append(KeyValue(key="f", value=AnyValue(double_value=float("nan"))))
    for time in (1, 2):
        span.events.add(time_unix_nano=time, name="seen").attributes.append(number("seed", time))
        span.events[-1].attributes.extend([text("twice", "x"), text("twice", "y")])
        span.links.add(trace_id=b"l" * 16, span_id=bytes([time] * 8)).attributes.append(number("seed", time))
    return batch


def swap(one: AnyValue, other: AnyValue) -> None:
    one.string_value, other.string_value = other.string_value, one.string_value


def change_span(change: Callable[[Span], object]) -> Callable[[ResourceSpans], object]:
    return lambda batch: change(batch.scope_spans[0].spans[0])


def change_scope(change: Callable[[ScopeSpans], object]) -> Callable[[ResourceSpans], object]:
    return lambda batch: change(batch.scope_spans[0])


CHANGES: dict[str, Callable[[ResourceSpans], object]] = {
    "resource attribute": lambda batch: setattr(batch.resource.attributes[1].value, "int_value", 2),
    "resource schema": lambda batch: setattr(batch, "schema_url", ""),
    "no resource": lambda batch: batch.ClearField("resource"),
    "scope version": change_scope(lambda inner: setattr(inner.scope, "version", "2")),
    "scope attribute": change_scope(lambda inner: setattr(inner.scope.attributes[0], "key", "u")),
    "trace": change_span(lambda span: setattr(span, "trace_id", b"T" * 16)),
    "ID": change_span(lambda span: setattr(span, "span_id", b"S" * 8)),
    "parent": change_span(lambda span: setattr(span, "parent_span_id", b"")),
    "name": change_span(lambda span: setattr(span, "name", "stop")),
    "kind": change_span(lambda span: setattr(span, "kind", 3)),
    "start": change_span(lambda span: setattr(span, "start_time_unix_nano", 1001)),
    "end": change_span(lambda span: setattr(span, "end_time_unix_nano", 2001)),
    "trace state": change_span(lambda span: setattr(span, "trace_state", "")),
    "flags": change_span(lambda span: setattr(span, "flags", 0)),
    "no status": change_span(lambda span: span.ClearField("status")),
    "status message": change_span(lambda span: setattr(span.status, "message", "")),
    "dropped events": change_span(lambda span: setattr(span, "dropped_events_count", 1)),
    "attribute": change_span(lambda span: setattr(span.attributes[0].value, "int_value", 2)),
    "type of an attribute": change_span(lambda span: setattr(span.attributes[0].value, "double_value", 1.0)),
    "sign of a zero in a list": change_span(
        lambda span: setattr(span.attributes[1].value.array_value.values[0], "double_value", -0.0)
    ),
    "nested attribute": change_span(
        lambda span: setattr(span.attributes[2].value.kvlist_value.values[0].value, "int_value", 2)
    ),
    "repeated attribute": change_span(lambda span: setattr(span.attributes[4].value, "string_value", "x")),
    "order of a repeated attribute": change_span(lambda span: swap(span.attributes[3].value, span.attributes[4].value)),
    "order of a resource's repeated attribute": lambda batch: swap(
        batch.resource.attributes[2].value, batch.resource.attributes[3].value
    ),
    "order of an event's repeated attribute": change_span(
        lambda span: swap(span.events[0].attributes[1].value, span.events[0].attributes[2].value)
    ),
    "attribute without a value": change_span(lambda span: span.attributes[5].value.SetInParent()),
    "bits of a NaN": change_span(lambda span: setattr(span.attributes[6].value, "double_value", -float("nan"))),
    "one attribute fewer": change_span(lambda span: span.attributes.pop()),
    "event": change_span(lambda span: setattr(span.events[0].attributes[0].value, "int_value", 7)),
    "order of events": change_span(lambda span: span.events.reverse()),
    "one event fewer": change_span(lambda span: span.events.pop()),
    "link": change_span(lambda span: setattr(span.links[1], "flags", 1)),
    "order of links": change_span(lambda span: span.links.reverse()),
}


def alone(batch: ResourceSpans) -> bytes:
    return ExportTraceServiceRequest(resource_spans=[batch]).SerializeToString()


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("bound", [0, 2, ATTRIBUTE_COLUMNS])
def test_spans_that_differ_in_anything_both_stay(change: str, bound: int) -> None:
    changed = whole()
    CHANGES[change](changed)
    requests = [alone(whole()), alone(changed)]
    assert len(sent_spans(requests)) == 2
    assert stored_spans(decode([*requests, *requests], bound)) == distinct_spans(requests)
    parts = [decode(requests[:1]), decode(requests, bound), decode(requests[1:])]
    assert stored_spans(merge(parts)) == stored_spans(merge(parts, bound)) == distinct_spans(requests)


def test_what_was_sent_again_is_found_among_many_that_share_an_id() -> None:
    batch = whole()
    spans = batch.scope_spans[0].spans
    for place in range(5_000):
        spans.add().CopyFrom(spans[0])
        spans[-1].name = f"step {place % 2_500}"
    tables = decode([alone(batch)] * 2)
    assert tables.spans.num_rows == 2_501
    assert merge([tables, decode([alone(batch)])]).spans.num_rows == 2_501


def test_tables_without_repeats_stay_as_they_are() -> None:
    requests = [request(seed) for seed in range(4)]
    assert stored_spans(merge([decode(requests[:2]), decode(requests[2:])])) == sent_spans(requests)


def test_late_spans_join_their_trace_when_blocks_are_merged(tmp_path: Path) -> None:
    requests = [request(seed, traces=20, spans=9) for seed in range(3)]
    early, late = ([half(contents, odd) for contents in requests] for odd in (False, True))
    parts = []
    for name, sent in (("early", [*early, late[0]]), ("late", [*late, early[1]])):
        write_block(decode(sent), tmp_path / name)
        parts.append(BlockSource(tmp_path / name).tables())
    merged = merge(parts)
    assert stored_spans(merged) == sent_spans(requests)
    assert merged.traces.num_rows == 60
    assert merged.traces.column("count").to_pylist() == [9] * 60
    assert_in_order(merged)


def half(contents: bytes, odd: bool) -> bytes:
    """Every second span of each trace."""
    message = ExportTraceServiceRequest.FromString(contents)
    inner = message.resource_spans[0].scope_spans[0]
    kept = list(inner.spans)[odd::2]
    del inner.spans[:]
    inner.spans.extend(kept)
    return message.SerializeToString()


@given(st.lists(REQUESTS, min_size=2, max_size=3), BOUNDS, BOUNDS)
@settings(max_examples=25, deadline=None)
def test_nothing_is_lost_on_the_way_through_segments_and_blocks(
    tmp_path_factory: pytest.TempPathFactory, requests: list[bytes], narrow: int, wide: int
) -> None:
    folder = tmp_path_factory.mktemp("units")
    blocks = []
    for name, bound in (("one", narrow), ("other", wide)):
        segments = []
        for place, contents in enumerate(requests):
            write_segment(decode([contents], bound), folder / f"{name}{place}.arrow")
            segments.append(read_segment(folder / f"{name}{place}.arrow"))
        write_block(merge(segments, wide), folder / name)
        blocks.append(BlockSource(folder / name).tables())
    assert stored_spans(blocks[0]) == distinct_spans(requests)
    assert stored_spans(merge(blocks, narrow)) == distinct_spans(requests)


def test_resources_are_shared_whose_attributes_have_no_columns() -> None:
    requests = [alone(whole()), request(1)]
    tables = decode(requests, 0)
    for bound in (0, 1, ATTRIBUTE_COLUMNS):
        tables = merge([tables, decode(requests, bound)], bound)
        assert tables.resources.num_rows == tables.scopes.num_rows == 2
    assert stored_spans(tables) == sent_spans(requests)
