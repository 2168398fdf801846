"""Distinct KeyValue messages -> typed values, one array per key and kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from vivace.backend.store.otlp import Refused, key_values
from vivace.backend.store.tables import ARROW, Kind

Codes = npt.NDArray[np.int32]

SIMPLE: Final = (Kind.STR, Kind.INT, Kind.FLOAT, Kind.BOOL)
KINDS: Final = (*SIMPLE, Kind.STRS, Kind.INTS, Kind.FLOATS, Kind.BOOLS, Kind.ANY, None)
"""Numbered by position; None is an attribute without a value."""

_NESTED: Final = -1
_MEMBERS: Final = ("str", "int", "float", "bool", "array", "map", "bytes", "string_index")
_ARRAYS: Final = {
    "string_value": Kind.STRS,
    "int_value": Kind.INTS,
    "double_value": Kind.FLOATS,
    "bool_value": Kind.BOOLS,
}
_TO_EVENT_ATTRIBUTE: Final = (b"\x1a", b"\x5a", b"\x12", b"\x12", b"\x0a")
"""Field tags from an event's attribute up to the request, the deepest place that an attribute can be in."""


@dataclass(frozen=True, slots=True)
class Typed:
    """Distinct attributes, ordered by key and kind; those of one key and kind stand together and are a column."""

    keys: tuple[tuple[str, Kind | None], ...]
    bounds: Codes
    """Places bounds[c]:bounds[c + 1] belong to column c."""
    place: Codes
    """Number of a message -> its place."""
    column: Codes
    """Place -> its column."""
    values: tuple[pa.Array | None, ...]
    """The values of each column by place, None without a value; no value stands twice in a column of strings."""


def check(messages: pa.BinaryArray) -> None:
    """Refused when a KeyValue message is malformed, at whatever depth; `typed` takes what this takes."""
    if len(messages) == 0:
        return
    decoded = key_values(messages)
    keys, value = decoded.column("key"), decoded.column("value")
    strange = _not_canonical(messages, keys, value) | (_kinds(value) == _NESTED)
    _attributes([messages[number].as_py() for number in np.flatnonzero(strange).tolist()])


def typed(messages: pa.BinaryArray) -> Typed:
    """Decodes distinct KeyValue messages. Refused when any is malformed, at whatever depth."""
    decoded = key_values(messages)
    keys, value = decoded.column("key"), decoded.column("value")
    kind = _kinds(value)
    odd = np.flatnonzero(_not_canonical(messages, keys, value))
    if len(odd):
        return _typed_canonically(messages, odd)
    nested = np.flatnonzero(kind == _NESTED)
    values = _nested_values(messages, nested, kind)
    return _ordered(keys, value, kind, values)


def _kinds(value: pa.StructArray) -> npt.NDArray[np.int8]:
    kind = np.full(len(value), _NESTED, np.int8)
    for number, name in enumerate(SIMPLE):
        kind[_valid(value.field(name))] = number
    kind[~_valid(value)] = KINDS.index(None)
    return kind


def _valid(array: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(array.is_valid())


def _not_canonical(messages: pa.BinaryArray, keys: pa.StringArray, value: pa.StructArray) -> npt.NDArray[np.bool_]:
    """Several members of one value, which only the last of counts, or bytes that say a string in an unusual way."""
    members = np.zeros(len(value), np.int8)
    for name in _MEMBERS:
        members += _valid(value.field(name))
    text = _valid(value.field("str"))
    key, string = _sizes(keys), _sizes(pc.fill_null(value.field("str"), ""))
    inner = _framed_sizes(string)
    expected = np.where(key == 0, 0, _framed_sizes(key)) + _framed_sizes(inner)
    first_is_value = np.zeros(len(messages), np.bool_)
    offsets, data = _offsets(messages), np.frombuffer(messages.buffers()[2] or b"", np.uint8)
    filled = np.flatnonzero((key > 0) & text)
    first_is_value[filled] = data[offsets[filled]] != 0x0A
    odd: npt.NDArray[np.bool_] = (members > 1) | (text & ((np.diff(offsets) != expected) | first_is_value))
    return odd


def _offsets(array: pa.Array) -> Codes:
    return np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1]


def _sizes(array: pa.Array) -> npt.NDArray[np.int64]:
    return np.diff(_offsets(array)).astype(np.int64)


def _framed_sizes(sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Sizes of length-delimited fields with a tag of one byte around contents of the given sizes."""
    return sizes + 2 + sum((sizes >= 1 << bits).astype(np.int64) for bits in (7, 14, 21, 28))


def _typed_canonically(messages: pa.BinaryArray, odd: npt.NDArray[np.intp]) -> Typed:
    """Rewrites odd messages in the one usual way, and decodes again."""
    rewritten = messages.to_pylist()
    for number in odd:
        attribute = _attributes([rewritten[number]])[0]
        attribute.DiscardUnknownFields()
        rewritten[number] = attribute.SerializeToString()
    numbered = pa.array(rewritten, pa.binary()).dictionary_encode()
    result = typed(numbered.dictionary)
    place = result.place[numbered.indices.to_numpy()]
    return Typed(result.keys, result.bounds, place, result.column, result.values)


def _nested_values(
    messages: pa.BinaryArray, nested: npt.NDArray[np.intp], kind: npt.NDArray[np.int8]
) -> dict[int, object]:
    """The values of arrays, maps, bytes and empty any-values by number; writes their kinds into `kind`."""
    values: dict[int, object] = {}
    attributes = _attributes([messages[number].as_py() for number in nested.tolist()])
    for number, attribute in zip(nested.tolist(), attributes, strict=True):
        found, values[number] = _nested_value(attribute.value)
        kind[number] = KINDS.index(found)
    return values


def _nested_value(value: AnyValue) -> tuple[Kind, object]:
    members = {element.WhichOneof("value") for element in value.array_value.values}
    if len(members) == 1 and (kind := _ARRAYS.get(member := members.pop() or "")):
        return kind, [getattr(element, member) for element in value.array_value.values]
    return Kind.ANY, value.SerializeToString()


def _attributes(messages: Sequence[bytes]) -> Sequence[KeyValue]:
    """Parses KeyValue messages at the greatest depth a request can have them, so that too deep ones are refused now."""
    if not messages:
        return []
    request = b"".join(_framed(_TO_EVENT_ATTRIBUTE[0], message) for message in messages)
    for tag in _TO_EVENT_ATTRIBUTE[1:]:
        request = _framed(tag, request)
    try:
        parsed = ExportTraceServiceRequest.FromString(request)
    except DecodeError as error:
        raise Refused(f"an attribute is not an OTLP KeyValue: {error}") from error
    attributes: Sequence[KeyValue] = parsed.resource_spans[0].scope_spans[0].spans[0].events[0].attributes
    return attributes


def _framed(tag: bytes, content: bytes) -> bytes:
    size, varint = len(content), bytearray()
    while size >= 0x80:
        varint.append(size & 0x7F | 0x80)
        size >>= 7
    varint.append(size)
    return b"".join((tag, varint, content))


def _ordered(
    keys: pa.StringArray,
    value: pa.StructArray,
    kind: npt.NDArray[np.int8],
    nested: dict[int, object],
) -> Typed:
    numbered = keys.dictionary_encode()
    alphabet = pc.sort_indices(numbered.dictionary).to_numpy()
    rank = np.empty(len(alphabet), np.int64)
    rank[alphabet] = np.arange(len(alphabet))
    columns = rank[numbered.indices.to_numpy()] * len(KINDS) + kind
    order = np.argsort(columns, kind="stable")
    present, first, column = np.unique(columns[order], return_index=True, return_inverse=True)
    bounds = np.append(first, len(order)).astype(np.int32)
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    names = numbered.dictionary.take(pa.array(alphabet)).to_pylist()
    found = tuple((names[number // len(KINDS)], KINDS[number % len(KINDS)]) for number in present.tolist())
    simple = {name: value.field(name).take(pa.array(order)) for name in SIMPLE}
    values = tuple(
        _column_values(key_kind[1], simple, nested, slice(start, stop), order)
        for key_kind, start, stop in zip(found, bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    )
    return Typed(found, bounds, place, column.astype(np.int32), values)


def _column_values(
    kind: Kind | None,
    simple: dict[Kind, pa.Array],
    nested: dict[int, object],
    places: slice,
    order: npt.NDArray[np.intp],
) -> pa.Array | None:
    if kind is None:
        return None
    if kind in simple:
        return simple[kind].slice(places.start, places.stop - places.start)
    return pa.array([nested[number] for number in order[places].tolist()], ARROW[kind])
