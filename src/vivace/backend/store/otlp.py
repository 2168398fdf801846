"""OTLP bytes -> nested Arrow, the first step of decoding.

An attribute stays the bytes of its KeyValue message here: the same few attributes come again and again, so it pays to
number them first and decode each distinct one once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

import ptars
import pyarrow as pa
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

PACKAGE: Final = "vivace.otlp"


class Refused(ValueError):
    """A request that cannot be taken; `reason` is the label of the metric that counts it."""

    def __init__(self, message: str, reason: str = "malformed", spans: int = 0) -> None:
        super().__init__(message)
        self.reason = reason
        self.spans = spans


class _Field(NamedTuple):
    name: str
    number: int
    type: str
    """A scalar type of protobuf, or the name of a message below; a leading * says repeated."""


_MESSAGES: Final[dict[str, tuple[_Field, ...]]] = {
    "Request": (_Field("resource_spans", 1, "*ResourceSpans"),),
    "ResourceSpans": (
        _Field("resource", 1, "Resource"),
        _Field("scope_spans", 2, "*ScopeSpans"),
        _Field("schema_url", 3, "string"),
    ),
    "Resource": (
        _Field("attributes", 1, "*bytes"),
        _Field("dropped_attributes", 2, "uint32"),
        _Field("entity_refs", 3, "*bytes"),
    ),
    "ScopeSpans": (_Field("scope", 1, "Scope"), _Field("spans", 2, "*Span"), _Field("schema_url", 3, "string")),
    "Scope": (
        _Field("name", 1, "string"),
        _Field("version", 2, "string"),
        _Field("attributes", 3, "*bytes"),
        _Field("dropped_attributes", 4, "uint32"),
    ),
    "Span": (
        _Field("trace_id", 1, "bytes"),
        _Field("span_id", 2, "bytes"),
        _Field("trace_state", 3, "string"),
        _Field("parent_id", 4, "bytes"),
        _Field("name", 5, "string"),
        _Field("kind", 6, "int32"),
        _Field("start", 7, "fixed64"),
        _Field("end", 8, "fixed64"),
        _Field("attributes", 9, "*bytes"),
        _Field("dropped_attributes", 10, "uint32"),
        _Field("events", 11, "*Event"),
        _Field("dropped_events", 12, "uint32"),
        _Field("links", 13, "*Link"),
        _Field("dropped_links", 14, "uint32"),
        _Field("status", 15, "Status"),
        _Field("flags", 16, "fixed32"),
    ),
    "Event": (
        _Field("time", 1, "fixed64"),
        _Field("name", 2, "string"),
        _Field("attributes", 3, "*bytes"),
        _Field("dropped_attributes", 4, "uint32"),
    ),
    "Link": (
        _Field("trace_id", 1, "bytes"),
        _Field("span_id", 2, "bytes"),
        _Field("trace_state", 3, "string"),
        _Field("attributes", 4, "*bytes"),
        _Field("dropped_attributes", 5, "uint32"),
        _Field("flags", 6, "fixed32"),
    ),
    "Status": (_Field("message", 2, "string"), _Field("code", 3, "int32")),
    "Attribute": (_Field("key", 1, "string"), _Field("value", 2, "Value")),
    "Value": (
        _Field("str", 1, "string"),
        _Field("bool", 2, "bool"),
        _Field("int", 3, "int64"),
        _Field("float", 4, "double"),
        _Field("array", 5, "bytes"),
        _Field("map", 6, "bytes"),
        _Field("bytes", 7, "bytes"),
        _Field("string_index", 8, "int32"),
    ),
    "Array": (_Field("values", 1, "*Value"),),
    "Counted": (_Field("resource_spans", 1, "*CountedResource"),),
    "CountedResource": (_Field("scope_spans", 2, "*CountedScope"),),
    "CountedScope": (_Field("spans", 2, "*bytes"),),
}
"""The wire format of opentelemetry-proto's trace.proto as far as it is stored; nested any-values stay bytes."""

_SCALARS: Final = {
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "uint32": FieldDescriptorProto.TYPE_UINT32,
    "fixed64": FieldDescriptorProto.TYPE_FIXED64,
    "fixed32": FieldDescriptorProto.TYPE_FIXED32,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}


def _descriptor() -> FileDescriptor:
    file = FileDescriptorProto(name="vivace/otlp.proto", package=PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        if name == "Value":
            message.oneof_decl.add(name="value")
        for field in fields:
            kind = field.type.removeprefix("*")
            label = FieldDescriptorProto.LABEL_OPTIONAL if kind == field.type else FieldDescriptorProto.LABEL_REPEATED
            added = message.field.add(name=field.name, number=field.number, label=label)
            added.type = _SCALARS.get(kind, FieldDescriptorProto.TYPE_MESSAGE)
            if kind not in _SCALARS:
                added.type_name = f".{PACKAGE}.{kind}"
            if name == "Value":
                added.oneof_index = 0
    pool = DescriptorPool()
    pool.Add(file)
    return pool.FindFileByName(file.name)


_FILE: Final = _descriptor()
_HANDLERS: Final = ptars.HandlerPool([_FILE])
_REQUEST: Final = _HANDLERS.get_for_message(_FILE.message_types_by_name["Request"])
_COUNTED: Final = _HANDLERS.get_for_message(_FILE.message_types_by_name["Counted"])
_ARRAY: Final = _HANDLERS.get_for_message(_FILE.message_types_by_name["Array"])
_ATTRIBUTE: Final = _HANDLERS.get_for_message(_FILE.message_types_by_name["Attribute"])


MEMBERS: Final = tuple(field.name for field in _MESSAGES["Value"])
"""The members of an any-value, of which at most one is set."""


def resource_spans(requests: Sequence[bytes]) -> pa.ListArray:
    """One list of ResourceSpans structs per ExportTraceServiceRequest. Refused when the bytes are not OTLP."""
    with _refusing("not an OTLP trace request"):
        return _REQUEST.list_to_record_batch(list(requests)).column(0)


def count_spans(request: bytes) -> int:
    """How many spans an ExportTraceServiceRequest has, without decoding them. Refused when the bytes are not OTLP."""
    with _refusing("not an OTLP trace request"):
        resources = _COUNTED.list_to_record_batch([request]).column(0)
        return len(resources.values.field("scope_spans").values.field("spans").values)


def key_values(messages: pa.BinaryArray) -> pa.RecordBatch:
    """KeyValue messages -> key: string, value: struct of nullable members. Refused when the bytes are not OTLP."""
    with _refusing("an attribute is not an OTLP KeyValue"):
        return _ATTRIBUTE.array_to_record_batch(messages)


def array_values(messages: pa.BinaryArray) -> pa.ListArray:
    """ArrayValue messages -> lists of structs of nullable members. Refused when the bytes are not OTLP."""
    with _refusing("an attribute is not an OTLP KeyValue"):
        return _ARRAY.array_to_record_batch(messages).column(0)


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Turns what ptars raises into Refused; a length beyond 2**63 makes it panic, which is no Exception."""
    try:
        yield
    except ValueError as error:
        raise Refused(f"{what}: {error}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise Refused(f"{what}: {error}") from error
