"""Tables -> OTLP again, one value at a time: slow, plain, and independent of how decoding works."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, EntityRef, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

from vivace.backend.store.tables import Kind, Tables, attribute_columns

MEMBER = {Kind.STR: "string_value", Kind.INT: "int_value", Kind.FLOAT: "double_value", Kind.BOOL: "bool_value"}
ELEMENT = {Kind.STRS: Kind.STR, Kind.INTS: Kind.INT, Kind.FLOATS: Kind.FLOAT, Kind.BOOLS: Kind.BOOL}


def sent_spans(requests: Sequence[bytes]) -> Counter[bytes]:
    """Every span, alone in a ResourceSpans message of its own, attributes in the order of their keys."""
    found: Counter[bytes] = Counter()
    for request in requests:
        for resource_spans in ExportTraceServiceRequest.FromString(request).resource_spans:
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    alone = ResourceSpans()
                    alone.CopyFrom(resource_spans)
                    del alone.scope_spans[:]
                    inner = alone.scope_spans.add()
                    inner.CopyFrom(scope_spans)
                    del inner.spans[:]
                    inner.spans.add().CopyFrom(span)
                    found[canonical(alone)] += 1
    return found


def distinct_spans(requests: Sequence[bytes]) -> Counter[bytes]:
    """The same, without spans that were sent again, the same in everything."""
    return Counter(sent_spans(requests).keys())


def stored_spans(tables: Tables) -> Counter[bytes]:
    """The same of what is stored."""
    rows = {name: batch.to_pylist() for name, batch in tables.items()}
    attributes = {name: list(_attributes(tables, name)) for name in ("spans", "resources", "scopes", "events", "links")}
    spans = [_span(row, rows["traces"][row["trace"]]) for row in rows["spans"]]
    for span, found in zip(spans, attributes["spans"], strict=True):
        span.attributes.extend(found)
    for row, found in zip(rows["events"], attributes["events"], strict=True):
        spans[row["span"]].events.add(
            time_unix_nano=row["time"] % 2**64,
            name=row["name"],
            dropped_attributes_count=row["dropped_attributes"],
            attributes=found,
        )
    for row, found in zip(rows["links"], attributes["links"], strict=True):
        spans[row["span"]].links.add(
            trace_id=b"" if row["trace_hi"] is None else _bytes(row["trace_hi"]) + _bytes(row["trace_lo"]),
            span_id=b"" if row["span_id"] is None else _bytes(row["span_id"]),
            trace_state=row["trace_state"],
            flags=row["flags"],
            dropped_attributes_count=row["dropped_attributes"],
            attributes=found,
        )
    stored: Counter[bytes] = Counter()
    for row, span in zip(rows["spans"], spans, strict=True):
        alone = ResourceSpans(schema_url=rows["resources"][row["resource"]]["schema_url"])
        resource = rows["resources"][row["resource"]]
        if resource["dropped_attributes"] is not None:
            alone.resource.dropped_attributes_count = resource["dropped_attributes"]
            alone.resource.SetInParent()
            alone.resource.attributes.extend(attributes["resources"][row["resource"]])
            alone.resource.entity_refs.extend(EntityRef.FromString(one) for one in resource["entity_refs"])
        scope = rows["scopes"][row["scope"]]
        inner = alone.scope_spans.add(schema_url=scope["schema_url"])
        if scope["dropped_attributes"] is not None:
            inner.scope.SetInParent()
            inner.scope.name, inner.scope.version = scope["name"], scope["version"]
            inner.scope.dropped_attributes_count = scope["dropped_attributes"]
            inner.scope.attributes.extend(attributes["scopes"][row["scope"]])
        inner.spans.append(span)
        stored[canonical(alone)] += 1
    return stored


def canonical(alone: ResourceSpans) -> bytes:
    scope_spans = alone.scope_spans[0]
    span = scope_spans.spans[0]
    if span.parent_span_id == bytes(8):
        span.parent_span_id = b""
    holders: tuple[Any, ...] = (alone.resource, scope_spans.scope, span, *span.events, *span.links)
    for holder in holders:
        if holder.attributes:
            ordered = sorted(holder.attributes, key=_kept_order)
            del holder.attributes[:]
            holder.attributes.extend(ordered)
    return alone.SerializeToString(deterministic=True)


def _kept_order(attribute: KeyValue) -> tuple[str, str, bytes]:
    """Of values of one key and type the order is kept, but not of lists and maps."""
    member = attribute.value.WhichOneof("value") or ""
    simple = member in MEMBER.values()
    return attribute.key, member, b"" if simple else attribute.SerializeToString(deterministic=True)


def _span(row: dict[str, Any], trace: dict[str, Any]) -> Span:
    span = Span(
        trace_id=_bytes(trace["trace_hi"]) + _bytes(trace["trace_lo"]),
        span_id=_bytes(row["span_id"]),
        parent_span_id=_bytes(row["parent_id"]) if row["parent_id"] else b"",
        name=row["name"],
        kind=row["kind"],
        trace_state=row["trace_state"],
        start_time_unix_nano=row["start"] % 2**64,
        end_time_unix_nano=(row["start"] + row["duration"]) % 2**64,
        flags=row["flags"],
        dropped_attributes_count=row["dropped_attributes"],
        dropped_events_count=row["dropped_events"],
        dropped_links_count=row["dropped_links"],
    )
    if row["status_message"] is not None:
        span.status.SetInParent()
        span.status.code = row["status"]
        span.status.message = row["status_message"]
    return span


def _bytes(word: int) -> bytes:
    return word.to_bytes(8, "big")


def _attributes(tables: Tables, table: str) -> Iterable[list[KeyValue]]:
    batch = tables[table]
    found: list[list[KeyValue]] = [[] for _ in range(batch.num_rows)]
    for column in attribute_columns(table, batch.schema.names):
        for row, value in enumerate(batch.column(column.name).to_pylist()):
            if value is not None:
                found[row].append(KeyValue(key=column.key, value=_any_value(column.kind, value)))
    for entry in tables.overflow.to_pylist():
        if entry["table"] == table:
            found[entry["row"]].append(_overflow_attribute(entry))
    return found


def _overflow_attribute(entry: dict[str, Any]) -> KeyValue:
    attribute = KeyValue(key=entry["key"])
    for kind in (*MEMBER, Kind.ANY):
        if entry[kind] is not None:
            attribute.value.CopyFrom(_any_value(kind, entry[kind]))
    return attribute


def _any_value(kind: Kind, value: Any) -> AnyValue:
    if kind is Kind.ANY:
        return AnyValue.FromString(value)
    if kind in MEMBER:
        return AnyValue(**{MEMBER[kind]: value})
    array = AnyValue()
    array.array_value.values.extend(AnyValue(**{MEMBER[ELEMENT[kind]]: one}) for one in value)
    return array
