"""OTLP messages -> JSON as Tempo writes it: bytes in Base64, 64-bit numbers as text, zero values left out."""

from __future__ import annotations

import base64
from collections.abc import Callable
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


def json_of(message: Message) -> Json:
    """A message and all below it."""
    return {field.json_name: _json(field)(value) for field, value in message.ListFields()}


def _json(field: FieldDescriptor) -> Callable[[object], object]:
    one = _scalar(field)
    if field.is_repeated:
        return lambda values: [one(value) for value in values]  # type: ignore[attr-defined]
    return one


def _scalar(field: FieldDescriptor) -> Callable[[object], object]:
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
