"""A trace's rows -> the OTLP message they came from; nothing is lost but the order of attributes and of batches."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol, TypeVar

import numpy as np
import pyarrow as pa
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, EntityRef, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

from vivace.backend.query.lookup import Piece
from vivace.backend.query.view import View
from vivace.backend.store.tables import FIXED, Kind, attribute_columns

Attributes = Mapping[int, list[KeyValue]]
Row = Mapping[str, object]
Batch = TypeVar("Batch", ResourceSpans, ScopeSpans)

_MASK: Final = 0xFFFF_FFFF_FFFF_FFFF


class _Attributed(Protocol):
    """A message that has attributes."""

    @property
    def attributes(self) -> RepeatedCompositeFieldContainer[KeyValue]: ...


def rebuild(
    pieces: Iterable[Piece], most_bytes: int | None = None, check: Callable[[], None] = lambda: None
) -> tuple[TracesData, bool]:
    """The trace, batched by resource and instrumentation scope, and whether it is whole: it ends at `most_bytes`.

    A span that was sent more than once, the same in everything, is there once.
    """
    data, size = TracesData(), 0
    for piece in itertools.chain.from_iterable(whole.parts() for whole in pieces):
        check()
        batches = list(_Rebuilding(piece).batches())
        data.resource_spans.extend(batches)
        size += sum(batch.ByteSize() for batch in batches)
        if most_bytes is not None and size > most_bytes:
            _drop_repeats(data)
            size = data.ByteSize()
            if size > most_bytes:
                _cut(data, most_bytes)
                return data, False
    _drop_repeats(data)
    return data, True


def filter_spans(data: TracesData, wanted: Callable[[ResourceSpans, ScopeSpans, Span], bool]) -> None:
    """Remove the spans that are not wanted, and batches that become empty."""
    for batch in data.resource_spans:
        for inner in batch.scope_spans:
            spans = [span for span in inner.spans if wanted(batch, inner, span)]
            del inner.spans[:]
            inner.spans.extend(spans)
    _drop_empty(data)


def _drop_empty(data: TracesData) -> None:
    for batch in data.resource_spans:
        scopes = [inner for inner in batch.scope_spans if inner.spans]
        del batch.scope_spans[:]
        batch.scope_spans.extend(scopes)
    batches = [batch for batch in data.resource_spans if batch.scope_spans]
    del data.resource_spans[:]
    data.resource_spans.extend(batches)


def _cut(data: TracesData, most_bytes: int) -> None:
    """Remove the spans that are beyond so many bytes; resources and scopes count with the first of theirs."""
    left = most_bytes
    for batch in data.resource_spans:
        sizes = [[span.ByteSize() for span in inner.spans] for inner in batch.scope_spans]
        left -= batch.ByteSize() - sum(map(sum, sizes))
        for inner, mine in zip(batch.scope_spans, sizes, strict=True):
            ends = np.cumsum(mine)
            kept = int(np.searchsorted(ends, left, "right"))
            left = left - int(ends[-1]) if kept == len(mine) else 0
            del inner.spans[kept:]
    _drop_empty(data)


def _drop_repeats(data: TracesData) -> None:
    every = (span for batch in data.resource_spans for inner in batch.scope_spans for span in inner.spans)
    repeated = {identity for identity, count in Counter(span.span_id for span in every).items() if count > 1}
    seen: set[bytes] = set()

    def first(batch: ResourceSpans, inner: ScopeSpans, span: Span) -> bool:
        if span.span_id not in repeated:
            return True
        alone = ResourceSpans(schema_url=batch.schema_url)
        within = alone.scope_spans.add(schema_url=inner.schema_url, spans=[span])
        if batch.HasField("resource"):
            alone.resource.CopyFrom(batch.resource)
        if inner.HasField("scope"):
            within.scope.CopyFrom(inner.scope)
        holders: list[_Attributed] = [alone.resource] if batch.HasField("resource") else []
        holders += [within.scope] if inner.HasField("scope") else []
        for holder in (*holders, *within.spans, *within.spans[0].events, *within.spans[0].links):
            _sort_attributes(holder)
        key = alone.SerializeToString(deterministic=True)
        fresh = key not in seen
        seen.add(key)
        return fresh

    if repeated:
        filter_spans(data, first)


def _sort_attributes(holder: _Attributed) -> None:
    """Into an order that does not depend on which of them have columns in a unit."""
    ordered = sorted(holder.attributes, key=lambda one: one.SerializeToString(deterministic=True))
    if ordered:
        del holder.attributes[:]
        holder.attributes.extend(ordered)


class _Rebuilding:
    """Rebuilds what one unit holds of a trace."""

    def __init__(self, piece: Piece) -> None:
        self._piece = piece
        self._view = piece.view

    def batches(self) -> Iterable[ResourceSpans]:
        grouped: dict[int, dict[int, list[Span]]] = defaultdict(lambda: defaultdict(list))
        batch = self._piece.spans()
        resources, scopes = (batch.column(name).to_pylist() for name in ("resource", "scope"))
        for span, resource, scope in zip(self._spans(batch), resources, scopes, strict=True):
            grouped[resource][scope].append(span)
        for resource, by_scope in grouped.items():
            yield self._resource_spans(resource, by_scope)

    def _resource_spans(self, row: int, by_scope: Mapping[int, list[Span]]) -> ResourceSpans:
        made = ResourceSpans()
        made.CopyFrom(self._once("resources", row, self._resource))
        made.scope_spans.extend(self._scope_spans(scope, spans) for scope, spans in by_scope.items())
        return made

    def _scope_spans(self, row: int, spans: list[Span]) -> ScopeSpans:
        made = ScopeSpans()
        made.CopyFrom(self._once("scopes", row, self._scope))
        made.spans.extend(spans)
        return made

    def _once(self, table: str, row: int, make: Callable[[int], Batch]) -> Batch:
        """What the spans of many traces share."""
        return self._view.remember(("message", table, row), lambda: make(row), lambda made: 4 * made.ByteSize())

    def _resource(self, row: int) -> ResourceSpans:
        fixed, attributes = self._row("resources", row)
        made = ResourceSpans(schema_url=_text(fixed["schema_url"]))
        if fixed["dropped_attributes"] is not None:
            made.resource.CopyFrom(Resource(dropped_attributes_count=_integer(fixed["dropped_attributes"])))
            made.resource.attributes.extend(attributes)
            references = fixed["entity_refs"]
            for reference in references if isinstance(references, list) else []:
                made.resource.entity_refs.append(EntityRef.FromString(reference))
        return made

    def _scope(self, row: int) -> ScopeSpans:
        fixed, attributes = self._row("scopes", row)
        made = ScopeSpans(schema_url=_text(fixed["schema_url"]))
        if fixed["dropped_attributes"] is not None:
            scope = InstrumentationScope(name=_text(fixed["name"]), version=_text(fixed["version"]))
            scope.dropped_attributes_count = _integer(fixed["dropped_attributes"])
            scope.attributes.extend(attributes)
            made.scope.CopyFrom(scope)
        return made

    def _row(self, table: str, row: int) -> tuple[Row, list[KeyValue]]:
        batch = self._view.slice(table, row, 1)
        return _fixed(table, batch)[0], _attributes(self._view, table, batch, row).get(0, [])

    def _spans(self, batch: pa.RecordBatch) -> list[Span]:
        identity = _identity(self._view, self._piece.trace)
        spans = [_span(row, identity) for row in _fixed("spans", batch)]
        _attach(spans, _attributes(self._view, "spans", batch, self._piece.first))
        events, first = self._piece.children("events")
        self._append(spans, "events", events, first, _add_event)
        links, first = self._piece.children("links")
        self._append(spans, "links", links, first, _add_link)
        return spans

    def _append(
        self,
        spans: list[Span],
        table: str,
        batch: pa.RecordBatch,
        first: int,
        add: Callable[[Span, Row], _Attributed],
    ) -> None:
        attributes = _attributes(self._view, table, batch, first)
        for place, row in enumerate(_fixed(table, batch)):
            child = add(spans[_integer(row["span"]) - self._piece.first], row)
            child.attributes.extend(attributes.get(place, ()))


def _span(row: Row, identity: bytes) -> Span:
    start = _integer(row["start"])
    parent = _integer(row["parent_id"])
    span = Span(
        trace_id=identity,
        span_id=_integer(row["span_id"]).to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        trace_state=_text(row["trace_state"]),
        name=_text(row["name"]),
        kind=Span.SpanKind.ValueType(_integer(row["kind"])),
        start_time_unix_nano=start & _MASK,
        end_time_unix_nano=(start + _integer(row["duration"])) & _MASK,
        flags=_integer(row["flags"]),
        dropped_attributes_count=_integer(row["dropped_attributes"]),
        dropped_events_count=_integer(row["dropped_events"]),
        dropped_links_count=_integer(row["dropped_links"]),
    )
    if row["status_message"] is not None:
        code = Status.StatusCode.ValueType(_integer(row["status"]))
        span.status.CopyFrom(Status(code=code, message=_text(row["status_message"])))
    return span


def _add_event(span: Span, row: Row) -> Span.Event:
    return span.events.add(
        time_unix_nano=_integer(row["time"]) & _MASK,
        name=_text(row["name"]),
        dropped_attributes_count=_integer(row["dropped_attributes"]),
    )


def _add_link(span: Span, row: Row) -> Span.Link:
    high, low, span_id = row["trace_hi"], row["trace_lo"], row["span_id"]
    trace_id = b"" if high is None else _integer(high).to_bytes(8, "big") + _integer(low).to_bytes(8, "big")
    return span.links.add(
        trace_id=trace_id,
        span_id=b"" if span_id is None else _integer(span_id).to_bytes(8, "big"),
        trace_state=_text(row["trace_state"]),
        flags=_integer(row["flags"]),
        dropped_attributes_count=_integer(row["dropped_attributes"]),
    )


def _identity(view: View, trace: int) -> bytes:
    high, low = (int(view.words("traces", name)[trace]) for name in ("trace_hi", "trace_lo"))
    return high.to_bytes(8, "big") + low.to_bytes(8, "big")


def _fixed(table: str, batch: pa.RecordBatch) -> list[Row]:
    """The rows of a batch without their attributes; a column that is left out is null."""
    names = FIXED[table].names
    there = [name for name in names if name in batch.schema.names]
    columns = [_values(batch.column(name)) if name in there else [None] * len(batch) for name in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _values(array: pa.Array) -> list[object]:
    """The values as Python has them; Arrow takes six times as long to look each up in a dictionary."""
    found: list[object] = (array.dictionary_decode() if pa.types.is_dictionary(array.type) else array).to_pylist()
    return found


def _attributes(view: View, table: str, batch: pa.RecordBatch, first: int) -> Attributes:
    """The attributes of each row of a batch, the first of which is row `first` of the table, by place in the batch."""
    found: dict[int, list[KeyValue]] = defaultdict(list)
    for column in attribute_columns(table, batch.schema.names):
        array = batch.column(column.name)
        if array.null_count == len(array):
            continue
        for place, value in enumerate(_values(array)):
            if value is not None:
                found[place].append(KeyValue(key=column.key, value=_any_value(column.kind, value)))
    _add_overflow(found, view, table, first, len(batch))
    return found


def _add_overflow(found: dict[int, list[KeyValue]], view: View, table: str, first: int, count: int) -> None:
    if not view.rows("overflow"):
        return
    tables, rows = view.text("overflow", "table"), view.index("overflow", "row")
    mine = np.flatnonzero((rows >= first) & (rows < first + count))
    for entry in mine.tolist():
        if tables.python(entry) == table:
            row: Row = view.slice("overflow", entry, 1).to_pylist()[0]
            found[int(rows[entry]) - first].append(_overflown(row))


def _overflown(row: Row) -> KeyValue:
    made = KeyValue(key=_text(row["key"]))
    for kind in (Kind.STR, Kind.INT, Kind.FLOAT, Kind.BOOL, Kind.ANY):
        if row[kind] is not None:
            made.value.CopyFrom(_any_value(kind, row[kind]))
    return made


_MEMBERS: Final = {Kind.STR: "string_value", Kind.INT: "int_value", Kind.FLOAT: "double_value", Kind.BOOL: "bool_value"}
_ELEMENTS: Final = {
    Kind.STRS: "string_value",
    Kind.INTS: "int_value",
    Kind.FLOATS: "double_value",
    Kind.BOOLS: "bool_value",
}


def _any_value(kind: Kind, value: object) -> AnyValue:
    made = AnyValue()
    if kind is Kind.ANY:
        assert isinstance(value, bytes)  # noqa: S101 - the column's type
        made.ParseFromString(value)
    elif kind in _MEMBERS:
        setattr(made, _MEMBERS[kind], value)
    else:
        assert isinstance(value, list)  # noqa: S101 - the column's type
        made.array_value.SetInParent()
        for element in value:
            setattr(made.array_value.values.add(), _ELEMENTS[kind], element)
    return made


def _attach(spans: list[Span], attributes: Attributes) -> None:
    for place, found in attributes.items():
        spans[place].attributes.extend(found)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _integer(value: object) -> int:
    assert isinstance(value, int)  # noqa: S101 - the column's type
    return value
