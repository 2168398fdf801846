"""OTLP bytes -> OTLP JSON, to look at and for whoever reads no protobuf: one document per request, each on its line.

IDs are hexadecimal, other bytes Base64, 64-bit numbers texts, enumerations numbers, what is empty is left out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from functools import cache
from math import isfinite
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from vivace.telemetry.index import MESSAGES
from vivace.telemetry.template import Template

IDS: Final = frozenset({"trace_id", "span_id", "parent_span_id"})
_TEXT: Final = frozenset(
    {
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_FIXED64,
        FieldDescriptor.TYPE_SFIXED64,
        FieldDescriptor.TYPE_SINT64,
    }
)
_Convert = Callable[[Any], object]


def json_lines(template: Template) -> Iterator[bytes]:
    """The requests of a template as they lie in it."""
    message = MESSAGES[template.signal]
    for number in range(len(template)):
        document = _document(message.FromString(template.request(number).payload.tobytes()))
        yield json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _document(message: Message) -> dict[str, object]:
    fields = _fields(message.DESCRIPTOR)
    return {fields[field.number][0]: fields[field.number][1](value) for field, value in message.ListFields()}


@cache
def _fields(descriptor: Descriptor) -> dict[int, tuple[str, _Convert]]:
    """Name and conversion of each field."""
    return {field.number: (field.json_name, _converter(field)) for field in descriptor.fields}


def _converter(field: FieldDescriptor) -> _Convert:
    one = _scalar(field)
    return (lambda values: [one(value) for value in values]) if field.is_repeated else one


def _scalar(field: FieldDescriptor) -> _Convert:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return _document
    if field.type == FieldDescriptor.TYPE_BYTES:
        return bytes.hex if field.name in IDS else lambda value: base64.b64encode(value).decode()
    if field.type in _TEXT:
        return str
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return _double
    return lambda value: value


def _double(value: float) -> float | str:
    if isfinite(value):
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # noqa: PLR0124 - only NaN differs from itself
