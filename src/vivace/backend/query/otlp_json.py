"""OTLP messages -> JSON as Tempo writes it: bytes in Base64, 64-bit numbers as text, zero values left out."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, TracesData

from vivace.backend.query.compare import Check, still
from vivace.backend.query.shown import Json, double

_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_LISTS: Final = frozenset({"scopeSpans", "spans"})
_TEXT: Final = frozenset(
    {
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_FIXED64,
        FieldDescriptor.TYPE_SFIXED64,
        FieldDescriptor.TYPE_SINT64,
    }
)

Convert = Callable[[object], object]


def json_of(message: Message) -> Json:
    """A message and all below it."""
    return {name: convert(value) for name, convert, value in _fields(message)}


def batches_json(trace: TracesData, check: Check = still) -> bytes:
    """The list of a trace's batches as text, made span by span: as objects, a large trace takes ten times as much."""
    return "".join(_listed(trace.resource_spans, check)).encode()


def _listed(messages: Iterable[Message], check: Check) -> Iterator[str]:
    yield "["
    for number, message in enumerate(messages):
        yield from (",",) if number else ()
        yield from _written(message, check)
    yield "]"


def _written(message: Message, check: Check) -> Iterator[str]:
    check()
    if not isinstance(message, (ResourceSpans, ScopeSpans)):
        yield dumped(json_of(message))
        return
    yield "{"
    for number, (field, value) in enumerate(message.ListFields()):
        name, convert = _converted(field)
        yield f'{"," if number else ""}"{name}":'
        yield from _listed(value, check) if name in _LISTS else (dumped(convert(value)),)
    yield "}"


def dumped(document: object) -> str:
    """JSON without spaces."""
    return _ENCODER.encode(document)


def _fields(message: Message) -> Iterator[tuple[str, Convert, object]]:
    for field, value in message.ListFields():
        name, convert = _converted(field)
        yield name, convert, value


@cache
def _converted(field: FieldDescriptor) -> tuple[str, Convert]:
    """The name of a field in JSON, and what makes its value JSON."""
    one = _scalar(field)
    if field.is_repeated:
        return field.json_name, lambda values: [one(value) for value in values]
    return field.json_name, one


def _pair(pair: KeyValue) -> Json:
    """An attribute; nearly all have a key and a scalar, which is told in a third of the time."""
    member = pair.value.WhichOneof("value")
    name, convert = _MEMBERS.get(member or "", ("", None))
    if not pair.key or member is None or convert is None:
        return json_of(pair)
    return {"key": pair.key, "value": {name: convert(getattr(pair.value, member))}}


def _scalar(field: FieldDescriptor) -> Convert:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return _pair if field.message_type is KeyValue.DESCRIPTOR else json_of  # type: ignore[return-value]
    if field.type == FieldDescriptor.TYPE_BYTES:
        return lambda value: base64.b64encode(value).decode()  # type: ignore[arg-type]
    if field.enum_type is not None:
        names = field.enum_type.values_by_number
        return lambda value: names[value].name if value in names else value  # type: ignore[index]
    if field.type in _TEXT:
        return str
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return double  # type: ignore[return-value]
    return lambda value: value


_MEMBERS: Final[Mapping[str, tuple[str, Convert]]] = {
    field.name: (field.json_name, _scalar(field))
    for field in AnyValue.DESCRIPTOR.fields
    if field.type != FieldDescriptor.TYPE_MESSAGE
}
"""How the scalars of attributes are written, by their names in AnyValue."""
