"""Nested Arrow, as decoded from OTLP, -> a flat batch; refuses what the storage must not hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vivace.backend.store.batch import COLUMNS, AttributeLists, Batch
from vivace.backend.store.otlp import Refused, resource_spans

TRACE_ID_BYTES: Final = 16
SPAN_ID_BYTES: Final = 8

Words = npt.NDArray[np.uint64]

_NO_LINKS: Final = {field.name: pa.array([], field.type) for field in COLUMNS["links"]}


def flatten(requests: Sequence[bytes]) -> Batch:
    """Decodes ExportTraceServiceRequests. Refused when any of them is malformed or has an ID of a wrong size."""
    return _flatten(resource_spans(requests))


def flatten_counted(requests: Sequence[bytes]) -> tuple[Batch, list[int]]:
    """The same, and the number of spans of each request."""
    nested = resource_spans(requests)
    scope_spans = nested.values.field("scope_spans")
    scopes = scope_spans.offsets.to_numpy()[nested.offsets.to_numpy()]
    spans = scope_spans.values.field("spans").offsets.to_numpy()[scopes]
    return _flatten(nested), (spans[1:] - spans[:-1]).tolist()


def _flatten(nested: pa.ListArray) -> Batch:
    resources = nested.values
    scopes = resources.field("scope_spans").values
    spans = scopes.field("spans").values
    resource_of_scope = _parents(resources.field("scope_spans"))
    scope_of_span = _parents(scopes.field("spans"))
    _check_ids(spans)
    events, links = spans.field("events"), spans.field("links")
    tables = {
        "resources": _resources(resources),
        "scopes": _scopes(scopes),
        "spans": _spans(spans, resource_of_scope[scope_of_span], scope_of_span),
        "events": _events(events.values, _parents(events)),
        "links": _links(links.values, _parents(links)),
    }
    attributes = {
        "resources": resources.field("resource").field("attributes"),
        "scopes": scopes.field("scope").field("attributes"),
        "spans": spans.field("attributes"),
        "events": events.values.field("attributes"),
        "links": links.values.field("attributes"),
    }
    return Batch(tables, {table: _numbered(lists) for table, lists in attributes.items()})


def _numbered(lists: pa.ListArray) -> AttributeLists:
    if len(lists.values) == 0:
        return AttributeLists(lists.offsets.to_numpy(), np.zeros(0, np.int32), pa.array([], pa.binary()))
    numbered = lists.values.dictionary_encode()
    return AttributeLists(lists.offsets.to_numpy(), numbered.indices.to_numpy(), numbered.dictionary)


def _parents(lists: pa.ListArray) -> npt.NDArray[np.uint32]:
    offsets = lists.offsets.to_numpy()
    return np.repeat(np.arange(len(offsets) - 1, dtype=np.uint32), offsets[1:] - offsets[:-1])


def _resources(resources: pa.StructArray) -> dict[str, pa.Array]:
    resource = resources.field("resource")
    return {
        "schema_url": resources.field("schema_url"),
        "dropped_attributes": _null_where_absent(resource, "dropped_attributes"),
        "entity_refs": resource.field("entity_refs").cast(pa.list_(pa.binary())),
    }


def _scopes(scopes: pa.StructArray) -> dict[str, pa.Array]:
    scope = scopes.field("scope")
    return {
        "name": _filled(scope.field("name"), ""),
        "version": _filled(scope.field("version"), ""),
        "schema_url": scopes.field("schema_url"),
        "dropped_attributes": _null_where_absent(scope, "dropped_attributes"),
    }


def _spans(
    spans: pa.StructArray, resource: npt.NDArray[np.uint32], scope: npt.NDArray[np.uint32]
) -> dict[str, pa.Array]:
    trace_hi, trace_lo = _words(spans.field("trace_id"), 2)
    start = spans.field("start").to_numpy()
    status = spans.field("status")
    return {
        "resource": pa.array(resource),
        "scope": pa.array(scope),
        "trace_hi": pa.array(trace_hi),
        "trace_lo": pa.array(trace_lo),
        "span_id": pa.array(_words(spans.field("span_id"), 1)[0]),
        "parent_id": pa.array(_parent_ids(spans.field("parent_id"))),
        "name": spans.field("name"),
        "kind": _small(spans.field("kind"), "span kinds"),
        "status": _small(_filled(status.field("code"), 0), "status codes"),
        "status_message": _null_where_absent(status, "message"),
        "trace_state": spans.field("trace_state"),
        "start": pa.array(start.view(np.int64)),
        "duration": pa.array((spans.field("end").to_numpy() - start).view(np.int64)),
        "flags": spans.field("flags"),
        "dropped_attributes": spans.field("dropped_attributes"),
        "dropped_events": spans.field("dropped_events"),
        "dropped_links": spans.field("dropped_links"),
    }


def _events(events: pa.StructArray, span: npt.NDArray[np.uint32]) -> dict[str, pa.Array]:
    return {
        "span": pa.array(span),
        "time": pa.array(events.field("time").to_numpy().view(np.int64)),
        "name": events.field("name"),
        "dropped_attributes": events.field("dropped_attributes"),
    }


def _links(links: pa.StructArray, span: npt.NDArray[np.uint32]) -> dict[str, pa.Array]:
    if len(links) == 0:
        return _NO_LINKS
    trace_hi, trace_lo = _nullable_words(links.field("trace_id"), 2, "trace ids of links")
    (span_id,) = _nullable_words(links.field("span_id"), 1, "span ids of links")
    return {
        "span": pa.array(span),
        "trace_hi": trace_hi,
        "trace_lo": trace_lo,
        "span_id": span_id,
        "trace_state": links.field("trace_state"),
        "flags": links.field("flags"),
        "dropped_attributes": links.field("dropped_attributes"),
    }


def _null_where_absent(parent: pa.StructArray, field: str) -> pa.Array:
    if parent.null_count == 0:
        return parent.field(field)
    child = parent.field(field)
    return pc.if_else(parent.is_valid(), child, pa.scalar(None, child.type))


def _filled(array: pa.Array, value: object) -> pa.Array:
    return pc.fill_null(array, value) if array.null_count else array


def _small(array: pa.Int32Array, what: str) -> pa.Int8Array:
    values = array.to_numpy()
    small = values.astype(np.int8)
    wrong = np.flatnonzero(small != values)
    if len(wrong):
        raise Refused(f"{what} must be enumerated in OTLP, received {values[wrong[0]]}", "malformed", len(values))
    return pa.array(small)


def _lengths(ids: pa.BinaryArray) -> npt.NDArray[np.int32]:
    offsets = np.frombuffer(ids.buffers()[1], np.int32)[ids.offset : ids.offset + len(ids) + 1]
    return offsets[1:] - offsets[:-1]


def _words(ids: pa.BinaryArray, words: int) -> list[Words]:
    """Big-endian words, one array per position; every ID that is not empty must be that long."""
    offsets = np.frombuffer(ids.buffers()[1], np.int32)[ids.offset : ids.offset + len(ids) + 1]
    data = ids.buffers()[2]
    if data is None or len(ids) == 0:
        return [np.zeros(0, np.uint64) for _ in range(words)]
    matrix = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]].view(">u8").reshape(-1, words)
    return [matrix[:, position].astype(np.uint64) for position in range(words)]


def _parent_ids(ids: pa.BinaryArray) -> Words:
    lengths = _lengths(ids)
    present = lengths != 0
    wrong = present & (lengths != SPAN_ID_BYTES)
    if wrong.any():
        bits = 8 * int(lengths[wrong][0])
        raise Refused(f"parent span ids must be 64 bit or empty, received {bits} bits", "invalid_span_id", len(ids))
    parents = np.zeros(len(ids), np.uint64)
    parents[present] = _words(ids, 1)[0]
    return parents


def _nullable_words(ids: pa.BinaryArray, words: int, what: str) -> list[pa.Array]:
    lengths = _lengths(ids)
    present = lengths != 0
    wrong = present & (lengths != 8 * words)
    if wrong.any():
        bits = 8 * int(lengths[wrong][0])
        raise Refused(f"{what} must be {64 * words} bit or empty, received {bits} bits", "invalid_span_id", len(ids))
    arrays = []
    for word in _words(ids, words):
        values = np.zeros(len(ids), np.uint64)
        values[present] = word
        arrays.append(pa.array(values, mask=~present))
    return arrays


def _check_ids(spans: pa.StructArray) -> None:
    """Every span's trace ID and span ID must have the right size; the first span that is wrong is reported."""
    trace_lengths, span_lengths = _lengths(spans.field("trace_id")), _lengths(spans.field("span_id"))
    wrong_trace = trace_lengths != TRACE_ID_BYTES
    wrong_span = span_lengths != SPAN_ID_BYTES
    if not wrong_span.any():
        wrong_span = _words(spans.field("span_id"), 1)[0] == 0
    wrong = np.flatnonzero(wrong_trace | wrong_span)
    if len(wrong) == 0:
        return
    first = wrong[0]
    if wrong_trace[first]:
        bits = 8 * trace_lengths[first]
        raise Refused(f"trace ids must be 128 bit, received {bits} bits", "invalid_trace_id", len(spans))
    bits = 8 * span_lengths[first]
    raise Refused(f"span ids must be 64 bit and not all zero, received {bits} bits", "invalid_span_id", len(spans))
