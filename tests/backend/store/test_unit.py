from __future__ import annotations

import pyarrow as pa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from vivace.backend.store.decode import decode
from vivace.backend.store.tables import AttributeColumn, Kind
from vivace.backend.store.unit import ColumnCache, Unit


def unit() -> Unit:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value="shop")))
    spans = resource_spans.scope_spans.add().spans
    for number in (3, 1, 2):
        span = spans.add(trace_id=bytes(15) + b"\1", span_id=bytes([number] * 8), name=f"GET /{number}")
        span.start_time_unix_nano = 10 * number
        span.end_time_unix_nano = 10 * number + 5
        if number > 1:
            span.attributes.append(KeyValue(key="a:b.c", value=AnyValue(int_value=number)))
    return Unit.in_memory(decode([request.SerializeToString()]))


def test_a_unit_knows_what_it_holds() -> None:
    info = unit().info
    assert (info.spans, info.traces, info.start_ns, info.end_ns) == (3, 1, 10, 35)


def test_columns_are_read_by_name() -> None:
    names = unit().column("spans", "name")
    assert names is not None
    assert names.to_pylist() == ["GET /1", "GET /2", "GET /3"]
    assert names.type == pa.dictionary(pa.int32(), pa.string())
    assert unit().column("spans", "span.missing:int") is None


def test_attribute_columns_are_named_by_scope_key_and_kind() -> None:
    (column,) = unit().attribute_columns("spans")
    assert column == AttributeColumn("span", "a:b.c", Kind.INT)
    values = unit().column("spans", column.name)
    assert values is not None
    assert values.to_pylist() == [None, 2, 3]
    assert [column.name for column in unit().attribute_columns("resources")] == ["resource.service.name:str"]
    assert unit().attribute_columns("traces") == ()


def test_rows_can_be_read_by_number() -> None:
    assert unit().slice("spans", 1, 2).column("name").to_pylist() == ["GET /2", "GET /3"]
    assert unit().rows("events") == 0


def test_the_cache_drops_what_was_used_longest_ago() -> None:
    cache = ColumnCache(limit=2 * 80)
    loads: list[str] = []

    def get(name: str) -> None:
        def load() -> pa.Array:
            loads.append(name)
            return pa.array(range(10), pa.int64())

        cache.get(("unit", "spans", name), load)

    for name in ("a", "b", "a", "c", "a", "b"):
        get(name)
    assert loads == ["a", "b", "c", "b"]
    cache.forget("unit")
    get("a")
    assert loads[-1] == "a"
