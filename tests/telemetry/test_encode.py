from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.telemetry.otlp import value_of

from vivace.telemetry.attributes import AttributeTable, Scalar, Vocabulary
from vivace.telemetry.encode import encode, fixed_bytes, key_values, listed


@pytest.mark.parametrize(
    "values", [["", "a", "ü"], [0, -1, 2**62], [0.0, -2.5, 1e300], [False, True, False], [["", "x"], [], ["y"]]]
)
def test_empty_and_zero_values_are_written(values: list[object]) -> None:
    for encoded, value in zip(key_values("key", pa.array(values)), values, strict=True):
        attribute = KeyValue.FromString(encoded.as_py())
        assert attribute.key == "key"
        assert value_of(attribute.value) == value


def test_messages_nest_as_bytes() -> None:
    links = encode("Link", {"trace_id": fixed_bytes(np.arange(4, dtype=np.uint64).reshape(2, 2) + 1)})
    names = pa.array(["one", "two", "three"])
    spans = encode("Span", {"name": names, "links": listed(np.array([1, 0, 1]), links)})
    decoded = [Span.FromString(span.as_py()) for span in spans]
    assert [span.name for span in decoded] == ["one", "two", "three"]
    assert [[link.trace_id[0] for link in span.links] for span in decoded] == [[1], [], [3]]


def test_bytes_can_be_absent() -> None:
    words = np.array([1, 2, 3], np.uint64)
    assert [value.as_py() for value in fixed_bytes(words, np.array([True, False, True]))] == [
        (1).to_bytes(8, "little"),
        b"",
        (3).to_bytes(8, "little"),
    ]


def test_attributes_of_spans_come_in_the_order_asked_for() -> None:
    vocabulary = Vocabulary()
    red, blue = vocabulary.numbers("colour", ["red", "blue"])
    assert vocabulary.number("colour", "red") == red
    assert vocabulary.number("colour", True) not in {red, blue}
    table = AttributeTable(vocabulary, np.array([[red, -1], [-1, -1], [blue, red]], np.int32))
    table.add_values(np.array([0, 1]), "size", pa.array([7, 8]))
    table.add(np.array([1, 2]), np.array([blue, blue]))
    table.add_values(np.array([0, 2]), "shared", pa.array([1.5]), which=np.array([0, 0]))
    rows = [
        [(attribute.key, value_of(attribute.value)) for attribute in map(KeyValue.FromString, row)]
        for row in table.lists(np.array([2, 1, 0])).to_pylist()
    ]
    expected: list[list[tuple[str, Scalar]]] = [
        [("colour", "blue"), ("colour", "red"), ("colour", "blue"), ("shared", 1.5)],
        [("size", 8), ("colour", "blue")],
        [("colour", "red"), ("size", 7), ("shared", 1.5)],
    ]
    assert rows == expected
