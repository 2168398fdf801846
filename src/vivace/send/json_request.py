"""Writes OTLP requests as OTLP/JSON: IDs in hexadecimal, enums as numbers, 64-bit integers as strings.

Reads the wire format by the descriptors of opentelemetry-proto. Attributes repeat, so their text is remembered.
"""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite
from typing import Final, TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from vivace.telemetry.template import Signal

Raw: TypeAlias = "bytes | int"
"""A varint, or the bytes of any other value."""
Writer: TypeAlias = "Callable[[Raw], str]"

IN_HEXADECIMAL: Final = frozenset({"traceId", "spanId", "parentSpanId"})
REPEATED_TEXTS: Final = frozenset({"KeyValue", "InstrumentationScope", "Resource"})
MOST_REMEMBERED: Final = 1 << 16
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
SIGN: Final = 1 << 63
_string = json.encoder.encode_basestring


@dataclass(slots=True)
class _Field:
    key: str
    repeated: bool
    element: int | None
    """The wire type of an element that may come packed."""
    write: Writer


class _Message:
    """Writes messages of one type."""

    def __init__(self, descriptor: Descriptor, known: dict[str, _Message]) -> None:
        known[descriptor.full_name] = self
        self._texts: dict[bytes, str] | None = {} if descriptor.name in REPEATED_TEXTS else None
        self._fields = {field.number: _field(field, known) for field in descriptor.fields}

    def write(self, data: Raw) -> str:
        """The message's JSON; ValueError when the bytes are no such message."""
        if not isinstance(data, bytes):
            raise ValueError("a message with the wrong wire type")
        if self._texts is None:
            return self._write(data)
        text = self._texts.get(data)
        if text is None:
            if len(self._texts) >= MOST_REMEMBERED:
                self._texts.clear()
            text = self._texts[data] = self._write(data)
        return text

    def _write(self, data: bytes) -> str:
        values: dict[str, str] = {}
        lists: dict[str, list[str]] = {}
        fields = self._fields
        at, stop = 0, len(data)
        while at < stop:
            tag, at = _varint(data, at)
            wire = tag & 7
            value, at = _varint(data, at) if wire == VARINT else _bytes(data, at, wire)
            field = fields.get(tag >> 3)
            if field is None:
                continue
            if not field.repeated:
                values[field.key] = field.write(value)
            elif field.element is None or wire != LENGTH:
                lists.setdefault(field.key, []).append(field.write(value))
            else:
                lists.setdefault(field.key, []).extend(map(field.write, _unpacked(value, field.element)))
        texts = [f'"{key}":{value}' for key, value in values.items()]
        texts += [f'"{key}":[{",".join(elements)}]' for key, elements in lists.items()]
        return "{" + ",".join(texts) + "}"


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Value and end."""
    byte = data[at]
    at += 1
    if byte < 0x80:
        return byte, at
    value, shift = byte & 0x7F, 7
    while shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("a varint that does not end")


def _bytes(data: bytes, at: int, wire: int) -> tuple[bytes, int]:
    """The bytes of a value that is not a varint, and its end."""
    if wire == LENGTH:
        size, at = _varint(data, at)
    elif wire in {FIXED64, FIXED32}:
        size = 8 if wire == FIXED64 else 4
    else:
        raise ValueError("a field of an unknown wire type")
    if at + size > len(data):
        raise ValueError("a field that does not end")
    return data[at : at + size], at + size


def _unpacked(value: Raw, element: int) -> list[Raw]:
    assert isinstance(value, bytes)  # noqa: S101 - its wire type is LENGTH
    elements: list[Raw] = []
    at = 0
    while at < len(value):
        one, at = _varint(value, at) if element == VARINT else _bytes(value, at, element)
        elements.append(one)
    return elements


def _field(field: FieldDescriptor, known: dict[str, _Message]) -> _Field:
    if field.message_type is not None:
        message = known.get(field.message_type.full_name) or _Message(field.message_type, known)
        return _Field(field.json_name, field.is_repeated, None, message.write)
    if field.type in {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES}:
        in_hexadecimal = field.json_name in IN_HEXADECIMAL
        text = _text if field.type == FieldDescriptor.TYPE_STRING else _hexadecimal if in_hexadecimal else _base64
        return _Field(field.json_name, field.is_repeated, None, text)
    element, write = _SCALARS[field.type]
    return _Field(field.json_name, field.is_repeated, element, write)


def _text(value: Raw) -> str:
    return _string(_content(value).decode())


def _hexadecimal(value: Raw) -> str:
    return f'"{_content(value).hex()}"'


def _base64(value: Raw) -> str:
    return f'"{b64encode(_content(value)).decode()}"'


def _content(value: Raw) -> bytes:
    if isinstance(value, int):
        raise ValueError("a text with the wrong wire type")
    return value


def _number(value: Raw) -> int:
    return value if isinstance(value, int) else int.from_bytes(value, "little")


def _signed(value: Raw, bits: int = 64) -> int:
    number = _number(value) & ((1 << bits) - 1)
    return number - (1 << bits) if number >> (bits - 1) else number


def _zigzag(value: Raw) -> int:
    number = _number(value)
    return number >> 1 ^ -(number & 1)


def _float(value: Raw, form: str) -> str:
    number: float = struct.unpack(form, _content(value))[0]
    if isfinite(number):
        return repr(number)
    return '"Infinity"' if number == inf else '"-Infinity"' if number == -inf else '"NaN"'


_SCALARS: Final[dict[int, tuple[int, Writer]]] = {
    FieldDescriptor.TYPE_BOOL: (VARINT, lambda value: "true" if _number(value) else "false"),
    FieldDescriptor.TYPE_ENUM: (VARINT, lambda value: str(_signed(value, 32))),
    FieldDescriptor.TYPE_INT32: (VARINT, lambda value: str(_signed(value, 32))),
    FieldDescriptor.TYPE_UINT32: (VARINT, lambda value: str(_number(value) & 0xFFFF_FFFF)),
    FieldDescriptor.TYPE_SINT32: (VARINT, lambda value: str(_zigzag(value))),
    FieldDescriptor.TYPE_INT64: (VARINT, lambda value: f'"{_signed(value)}"'),
    FieldDescriptor.TYPE_UINT64: (VARINT, lambda value: f'"{_number(value)}"'),
    FieldDescriptor.TYPE_SINT64: (VARINT, lambda value: f'"{_zigzag(value)}"'),
    FieldDescriptor.TYPE_FIXED32: (FIXED32, lambda value: str(_number(value))),
    FieldDescriptor.TYPE_SFIXED32: (FIXED32, lambda value: str(_signed(value, 32))),
    FieldDescriptor.TYPE_FIXED64: (FIXED64, lambda value: f'"{_number(value)}"'),
    FieldDescriptor.TYPE_SFIXED64: (FIXED64, lambda value: f'"{_signed(value)}"'),
    FieldDescriptor.TYPE_DOUBLE: (FIXED64, lambda value: _float(value, "<d")),
    FieldDescriptor.TYPE_FLOAT: (FIXED32, lambda value: _float(value, "<f")),
}

_REQUESTS: Final = {
    Signal.TRACES: ExportTraceServiceRequest.DESCRIPTOR,
    Signal.METRICS: ExportMetricsServiceRequest.DESCRIPTOR,
    Signal.LOGS: ExportLogsServiceRequest.DESCRIPTOR,
}


class JsonWriter:
    """Writes one signal's requests."""

    def __init__(self, signal: Signal) -> None:
        self._request = _Message(_REQUESTS[signal], {})

    def write(self, payload: bytes) -> bytes:
        """The same request as OTLP/JSON; ValueError when it is none of this signal."""
        try:
            return self._request.write(payload).encode()
        except (IndexError, struct.error) as error:
            raise ValueError("a field that does not end") from error
