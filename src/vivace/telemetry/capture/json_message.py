"""OTLP JSON -> what a protobuf message's constructor takes; the message's descriptor says what each field holds.

Names are written as in JSON or as in protobuf, 64-bit numbers as numbers or texts, enumerations as numbers or names,
bytes in base64, IDs in hexadecimal or base64; null is the default, an unknown name is skipped.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from functools import cache, cached_property
from typing import Final, TypeAlias

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from vivace.telemetry.capture.identifiers import SPAN_BYTES, TRACE_BYTES, encoded
from vivace.telemetry.capture.refusal import Malformed, shown

Convert: TypeAlias = Callable[[object], object]

FORMER_NAMES: Final = {
    "instrumentationLibrary": "scope",
    "instrumentationLibrarySpans": "scope_spans",
    "instrumentationLibraryMetrics": "scope_metrics",
    "instrumentationLibraryLogs": "scope_logs",
    "batches": "resource_spans",
}
"""What fields were called in earlier versions of OTLP, and by Tempo."""
MOST_NESTED: Final = 16
"""Arrays in arrays, and likewise key-value lists; with more, protobuf's bound of 100 messages could be met."""
ID_SIZES: Final = {"trace_id": TRACE_BYTES, "span_id": SPAN_BYTES, "parent_span_id": SPAN_BYTES}


class Reader:
    """Reads JSON objects as messages of one type."""

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor

    @cached_property
    def _fields(self) -> dict[str, tuple[str, Convert]]:
        """By each name that JSON may use: the field and how its value is read."""
        fields: dict[str, tuple[str, Convert]] = {}
        for field in self._descriptor.fields:
            entry = (field.name, _each(_converter(field)) if field.is_repeated else _converter(field))
            fields |= {field.name: entry, str(field.json_name): entry}
        return fields | {former: fields[name] for former, name in FORMER_NAMES.items() if name in fields}

    def __call__(self, value: object) -> dict[str, object]:
        """Arguments of the message's constructor. Raises Malformed."""
        if not isinstance(value, dict):
            raise Malformed(f"{shown(value)} where an object is expected")
        known, arguments = self._fields, {}
        for key, item in value.items():
            field = known.get(key)
            if field is None or item is None:
                continue
            name, convert = field
            try:
                arguments[name] = convert(item)
            except Malformed as error:
                raise error.within(key) from error
        return arguments


class NestedReader(Reader):
    """Reads messages that can hold themselves, only so deep that protobuf can read what is written."""

    def __init__(self, descriptor: Descriptor) -> None:
        super().__init__(descriptor)
        self._depth = 0

    def __call__(self, value: object) -> dict[str, object]:
        if self._depth == MOST_NESTED:
            raise Malformed("is nested too deeply")
        self._depth += 1
        try:
            return super().__call__(value)
        finally:
            self._depth -= 1


class AttributeReader(Reader):
    """Reads key and value at once where they are as usual; most of what is in a capture are attributes."""

    def __call__(self, value: object) -> dict[str, object]:
        try:
            ((kind, item),) = value["value"].items()  # type: ignore[index]
            field, convert = USUAL[kind]
            return {"key": text(value["key"]), "value": {field: convert(item)}}  # type: ignore[index]
        except (KeyError, TypeError, ValueError, AttributeError, Malformed):
            return super().__call__(value)


@cache
def reader(descriptor: Descriptor) -> Reader:
    """The reader of a message type."""
    return READERS.get(descriptor.full_name, Reader)(descriptor)


def text(value: object) -> str:
    """A text. Raises Malformed when it is none, or has half a surrogate pair."""
    if not isinstance(value, str):
        raise Malformed(f"{shown(value)} where a text is expected")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Malformed("a text with half a surrogate pair, which is no character") from None
    return value


def boolean(value: object) -> bool:
    """true or false, which may be texts. Raises Malformed."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in {"true", "false"}:
        return value == "true"
    raise Malformed(f"{shown(value)} where true or false is expected")


def floating(value: object) -> float:
    """A number, as a number or a text, also NaN and Infinity. Raises Malformed."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise Malformed(f"{shown(value)} where a number is expected")


def integer(least: int, most: int) -> Callable[[object], int]:
    """Reads a whole number of that range, as a number or a text. Raises Malformed."""

    def convert(value: object) -> int:
        number = _whole(value)
        if number is None or not least <= number <= most:
            raise Malformed(f"{shown(value)} where a whole number from {least} to {most} is expected")
        return number

    return convert


def _whole(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    try:
        return int(value) if isinstance(value, str) else None
    except ValueError:
        return None


def binary(value: object) -> bytes:
    """Bytes in base64, also the variant for URLs. Raises Malformed."""
    if isinstance(value, str):
        try:
            return binascii.a2b_base64(value.translate(URL_VARIANT) + "=" * (-len(value) % 4), strict_mode=True)
        except ValueError:
            pass
    raise Malformed(f"{shown(value)} where bytes in base64 are expected")


URL_VARIANT: Final = {ord("-"): "+", ord("_"): "/"}
INT32: Final = integer(-(1 << 31), (1 << 31) - 1)
INT64: Final = integer(-(1 << 63), (1 << 63) - 1)
UINT32: Final = integer(0, (1 << 32) - 1)
UINT64: Final = integer(0, (1 << 64) - 1)
READERS: Final[dict[str, type[Reader]]] = {
    "opentelemetry.proto.common.v1.ArrayValue": NestedReader,
    "opentelemetry.proto.common.v1.KeyValueList": NestedReader,
    "opentelemetry.proto.common.v1.KeyValue": AttributeReader,
}
USUAL: Final[dict[str, tuple[str, Convert]]] = {
    "stringValue": ("string_value", text),
    "intValue": ("int_value", INT64),
    "boolValue": ("bool_value", boolean),
    "doubleValue": ("double_value", floating),
}
SCALARS: Final[dict[int, Convert]] = {
    FieldDescriptor.TYPE_STRING: text,
    FieldDescriptor.TYPE_BYTES: binary,
    FieldDescriptor.TYPE_BOOL: boolean,
    FieldDescriptor.TYPE_DOUBLE: floating,
    FieldDescriptor.TYPE_INT32: INT32,
    FieldDescriptor.TYPE_SINT32: INT32,
    FieldDescriptor.TYPE_INT64: INT64,
    FieldDescriptor.TYPE_SFIXED64: INT64,
    FieldDescriptor.TYPE_UINT32: UINT32,
    FieldDescriptor.TYPE_FIXED32: UINT32,
    FieldDescriptor.TYPE_UINT64: UINT64,
    FieldDescriptor.TYPE_FIXED64: UINT64,
}


def _converter(field: FieldDescriptor) -> Convert:
    if field.message_type is not None:
        return reader(field.message_type)
    if field.enum_type is not None:
        return _enumeration(field.enum_type)
    if field.name in ID_SIZES:
        size = ID_SIZES[field.name]
        return lambda value: encoded(value, size)
    return SCALARS[field.type]


def _enumeration(enumeration: EnumDescriptor) -> Convert:
    numbers = {name: value.number for name, value in enumeration.values_by_name.items()}

    def convert(value: object) -> int:
        number = numbers.get(value) if isinstance(value, str) else _whole(value)
        if number is None or not -(1 << 31) <= number < 1 << 31:
            raise Malformed(f"{shown(value)} is not one of {', '.join(numbers)}")
        return number

    return convert


def _each(convert: Convert) -> Convert:
    def convert_all(value: object) -> list[object]:
        if not isinstance(value, list):
            raise Malformed(f"{shown(value)} where an array is expected")
        converted: list[object] = []
        try:
            converted.extend(map(convert, value))
        except Malformed as error:
            raise error.within(len(converted)) from error
        return converted

    return convert_all
