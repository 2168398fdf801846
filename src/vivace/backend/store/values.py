"""Distinct KeyValue messages -> what kind each value is of, and the values of each kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from vivace.backend.store.otlp import MEMBERS, Refused, array_values, key_values
from vivace.backend.store.tables import Kind
from vivace.backend.store.validity import Mask, valid_rows

SIMPLE: Final = (Kind.STR, Kind.INT, Kind.FLOAT, Kind.BOOL)
LISTS: Final = (Kind.STRS, Kind.INTS, Kind.FLOATS, Kind.BOOLS)
KINDS: Final = (*SIMPLE, *LISTS, Kind.ANY, None)
"""Numbered by position; None is an attribute without a value."""

Kinds = npt.NDArray[np.int8]
Sizes = npt.NDArray[np.int64]

_ANY: Final = KINDS.index(Kind.ANY)
_ABSENT: Final = KINDS.index(None)
_NOTHING: Final = pa.scalar(b"", pa.binary())
_BYTES: Final = tuple(bytes([number]) for number in range(0x80))
FEW: Final = 256
_TO_EVENT_ATTRIBUTE: Final = (b"\x1a", b"\x5a", b"\x12", b"\x12", b"\x0a")
"""Field tags from an event's attribute up to the request, the deepest place that an attribute can be in."""


@dataclass(frozen=True, slots=True)
class Values:
    """Messages decoded; arrays are aligned with the messages unless they say otherwise."""

    keys: pa.StringArray
    kind: Kinds
    simple: Mapping[Kind, pa.Array]
    lists: Mapping[Kind, pa.ListArray]
    place: npt.NDArray[np.intp]
    """Of a message whose value is a list: its row in `lists` of its kind."""
    any: Mapping[int, bytes]
    """AnyValue messages of what is neither simple nor a list."""
    odd: Mask
    """Messages that are not written in the one usual way; what is decoded of them is not to be trusted."""


def values_of(messages: pa.BinaryArray) -> Values:
    """Decodes distinct messages. Refused when any is malformed, at whatever depth."""
    decoded = key_values(messages)
    keys, value = decoded.column("key"), decoded.column("value")
    members = {name: valid_rows(value.field(name)) for name in MEMBERS}
    kind = np.full(len(messages), _ANY, np.int8)
    for number, name in enumerate(SIMPLE):
        kind[members[name]] = number
    kind[~valid_rows(value)] = _ABSENT
    odd = np.sum(list(members.values()), axis=0) > 1
    odd |= _strings_not_canonical(messages, keys, value)
    odd |= members["array"] & (_sizes(messages) != _canonical_sizes(keys, value.field("array"), nested=2))
    lists, place = _lists(value.field("array"), kind, odd)
    unlisted = np.flatnonzero((kind == _ANY) | odd)
    attributes = attributes_of(messages.take(pa.array(unlisted)))
    anything = {
        number: attribute.value.SerializeToString()
        for number, attribute in zip(unlisted.tolist(), attributes, strict=True)
    }
    return Values(keys, kind, {name: value.field(name) for name in SIMPLE}, lists, place, anything, odd)


def _offsets(array: pa.Array) -> npt.NDArray[np.int32]:
    return np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1]


def _sizes(array: pa.Array) -> Sizes:
    return np.diff(_offsets(array)).astype(np.int64)


def _canonical_sizes(keys: pa.StringArray, contents: pa.Array, nested: int) -> Sizes:
    """Sizes of KeyValue messages that hold nothing but a key and contents in so many length-delimited fields."""
    key, size = _sizes(keys), _sizes(contents)  # nulls take no bytes
    for _ in range(nested):
        size = _framed_sizes(size)
    return size + np.where(key == 0, 0, _framed_sizes(key))


def _framed_sizes(sizes: Sizes) -> Sizes:
    """Sizes of length-delimited fields with a tag of one byte around contents of the given sizes."""
    return sizes + 2 + sum((sizes >= 1 << bits).astype(np.int64) for bits in (7, 14, 21, 28))


def _strings_not_canonical(messages: pa.BinaryArray, keys: pa.StringArray, value: pa.StructArray) -> Mask:
    """String values that are not key, then value, and nothing else: the same string could be there twice."""
    text = valid_rows(value.field("str"))
    strings = np.flatnonzero(text & (_sizes(keys) > 0))
    data = np.frombuffer(messages.buffers()[2] or b"", np.uint8)
    value_first = np.zeros(len(messages), np.bool_)
    value_first[strings] = data[_offsets(messages)[strings]] != 0x0A
    odd: Mask = text & (value_first | (_sizes(messages) != _canonical_sizes(keys, value.field("str"), nested=2)))
    return odd


def _lists(arrays: pa.BinaryArray, kind: Kinds, odd: Mask) -> tuple[dict[Kind, pa.ListArray], npt.NDArray[np.intp]]:
    """Lists of one simple kind; notes their kinds and what is odd among them."""
    place = np.zeros(len(arrays), np.intp)
    numbers = np.flatnonzero(valid_rows(arrays) & ~odd)
    if len(numbers) == 0:
        return {}, place
    lists = array_values(arrays.take(pa.array(numbers)))
    offsets = lists.offsets.to_numpy()
    members = {name: valid_rows(lists.values.field(name)) for name in MEMBERS}
    several = _counts(np.sum(list(members.values()), axis=0) > 1, offsets) > 0
    odd[numbers[several]] = True
    found: dict[Kind, pa.ListArray] = {}
    for simple, listed in zip(SIMPLE, LISTS, strict=True):
        count = _counts(members[simple], offsets)
        uniform = np.flatnonzero((count == np.diff(offsets)) & (count > 0) & ~several)
        kind[numbers[uniform]] = KINDS.index(listed)
        place[numbers[uniform]] = uniform
        found[listed] = pa.ListArray.from_arrays(lists.offsets, lists.values.field(simple))
    return found, place


def _counts(mask: Mask, offsets: npt.NDArray[np.int32]) -> npt.NDArray[np.intp]:
    """How many elements of each list are set in the mask."""
    total = np.concatenate([[0], np.cumsum(mask)])
    return np.diff(total[offsets])


def check(messages: pa.BinaryArray) -> None:
    """Refused when any message is malformed, at whatever depth. What this takes, `values_of` takes."""
    attributes_of(messages)


def attributes_of(messages: pa.BinaryArray) -> Sequence[KeyValue]:
    """Parses KeyValue messages at the greatest depth a request can have them, so that too deep ones are refused now."""
    if len(messages) == 0:
        return []
    request = _framed(messages)
    for tag in _TO_EVENT_ATTRIBUTE[1:]:
        request = b"".join((tag, _varint(len(request)), request))
    try:
        parsed = ExportTraceServiceRequest.FromString(request)
    except DecodeError as error:
        raise Refused(f"an attribute is not an OTLP KeyValue: {error}") from error
    attributes: Sequence[KeyValue] = parsed.resource_spans[0].scope_spans[0].spans[0].events[0].attributes
    return attributes


def _framed(messages: pa.BinaryArray) -> bytes:
    """All messages as fields of one message; few at once are quicker done one by one."""
    tag = _TO_EVENT_ATTRIBUTE[0]
    if len(messages) <= FEW:
        return b"".join([part for one in messages.to_pylist() for part in (tag, _varint(len(one)), one)])
    lengths, which = np.unique(np.diff(_offsets(messages)), return_inverse=True)
    prefixes = pa.array([tag + _varint(length) for length in lengths.tolist()], pa.binary())
    framed: bytes = (
        pc.binary_join_element_wise(prefixes.take(pa.array(which)), messages, _NOTHING).buffers()[2].to_pybytes()
    )
    return framed


def _varint(number: int) -> bytes:
    if number < 0x80:
        return _BYTES[number]
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
