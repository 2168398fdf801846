"""Arrow columns <-> protobuf bytes, one level of messages at a time: inner messages are bytes to the outer one.

The messages' fields are those of the OTLP descriptors, in which every message field has become a bytes field: on the
wire both are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2
from ptars import HandlerPool

from vivace.telemetry.arrays import Flags, Numbers, Words

PACKAGE: Final = "vivace.flat"
FIELD_OF: Final = {
    pa.string(): "string_value",
    pa.bool_(): "bool_value",
    pa.int64(): "int_value",
    pa.float64(): "double_value",
}
"""The field of an AnyValue, by the type of the values."""


def encode(message: str, columns: Mapping[str, pa.Array]) -> pa.Array:
    """One encoded message per row: binary. `message` is an OTLP name such as `Span`, the columns its fields."""
    return _handler(message).record_batch_to_array(pa.RecordBatch.from_pydict(dict(columns)))


def decode(message: str, values: pa.Array) -> pa.RecordBatch:
    """The fields of encoded messages, a row for each; messages in them stay binary. The bytes must be sound."""
    return _handler(message).array_to_record_batch(values)


def key_values(key: str, values: pa.Array) -> pa.Array:
    """Encoded attributes of one key: strings, bools, ints, doubles, or lists of strings."""
    if pa.types.is_list(values.type):
        inner = encode("AnyValue", {"string_value": values.values})
        value = {"array_value": encode("ArrayValue", {"values": pa.ListArray.from_arrays(values.offsets, inner)})}
    else:
        value = {FIELD_OF[values.type]: values}
    keys = pa.repeat(pa.scalar(key), len(values))
    return encode("KeyValue", {"key": keys, "value": encode("AnyValue", value)})


def listed(counts: Numbers, values: pa.Array) -> pa.ListArray:
    """Lists of the given lengths over consecutive values."""
    return pa.ListArray.from_arrays(pa.array(np.append(0, np.cumsum(counts)).astype(np.int32)), values)


def fixed_bytes(words: Words, present: Flags | None = None) -> pa.Array:
    """Binary values of the words of each row, (rows, words per value); empty where not present."""
    rows, width = words.shape[0], words[0].nbytes if words.size else 0
    length = np.full(rows, width) if present is None else np.where(present, width, 0)
    data = words if present is None else words[present]
    offsets = np.append(0, np.cumsum(length)).astype(np.int32)
    return pa.Array.from_buffers(pa.binary(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(data.tobytes())])


class _Handler(Protocol):
    def record_batch_to_array(self, batch: pa.RecordBatch) -> pa.Array: ...

    def array_to_record_batch(self, messages: pa.Array) -> pa.RecordBatch: ...


@cache
def _handler(message: str) -> _Handler:
    descriptor = _descriptors().FindMessageTypeByName(f"{PACKAGE}.{message}")
    handler: _Handler = HandlerPool([descriptor.file]).get_for_message(descriptor)
    return handler


@cache
def _descriptors() -> DescriptorPool:
    file = FileDescriptorProto(name="vivace/flat.proto", package=PACKAGE, syntax="proto3")
    for module in (common_pb2, resource_pb2, trace_pb2, metrics_pb2, logs_pb2):
        original = FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(original)
        file.message_type.extend(_flat(original.message_type))
    pool = DescriptorPool()
    pool.Add(file)
    return pool


def _flat(messages: Iterable[DescriptorProto]) -> Iterable[DescriptorProto]:
    """The messages and those nested in them, side by side, without references to each other."""
    for message in messages:
        flat = DescriptorProto(name=message.name, field=message.field, oneof_decl=message.oneof_decl)
        for field in flat.field:
            if field.type == FieldDescriptorProto.TYPE_MESSAGE:
                field.type = FieldDescriptorProto.TYPE_BYTES
            elif field.type == FieldDescriptorProto.TYPE_ENUM:
                field.type = FieldDescriptorProto.TYPE_INT32
            field.ClearField("type_name")
        yield flat
        yield from _flat(message.nested_type)
