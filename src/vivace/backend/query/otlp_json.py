"""OTLP messages -> JSON as Tempo writes it: bytes in Base64, 64-bit numbers as text, zero values left out."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from vivace.backend.query.shown import Json, double

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


def _scalar(field: FieldDescriptor) -> Convert:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return json_of  # type: ignore[return-value]
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
