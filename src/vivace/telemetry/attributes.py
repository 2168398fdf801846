"""Attributes of many spans: every distinct attribute is encoded once, spans refer to them by number."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from vivace.telemetry.arrays import Numbers
from vivace.telemetry.encode import key_values, listed

Scalar: TypeAlias = str | bool | int | float | tuple[str, ...]

MOST: Final = 20
"""Attributes that a span has at most."""


def key_value(key: str, value: Scalar) -> KeyValue:
    """An attribute as OTLP has it."""
    return KeyValue(key=key, value=_any_value(value))


def _any_value(value: Scalar) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case str():
            return AnyValue(string_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case _:
            return AnyValue(array_value=ArrayValue(values=[_any_value(item) for item in value]))


class Vocabulary:
    """Attributes that occur again and again, numbered in the order in which they were first asked for."""

    def __init__(self) -> None:
        self._number: dict[tuple[str, type, Scalar], int] = {}
        self._encoded: list[bytes] = []

    def number(self, key: str, value: Scalar) -> int:
        """The attribute's number."""
        known = self._number.get((key, type(value), value))
        if known is not None:
            return known
        self._number[key, type(value), value] = number = len(self._encoded)
        self._encoded.append(key_value(key, value).SerializeToString(deterministic=True))
        return number

    def numbers(self, key: str, values: list[str] | list[int] | list[bool]) -> Numbers:
        """The numbers of the attributes of one key, to be indexed by what is drawn."""
        return np.array([self.number(key, value) for value in values])

    def encoded(self) -> pa.Array:
        """All of them: binary."""
        return pa.array(self._encoded, pa.binary())


class AttributeTable:
    """The attributes of a batch of spans while they are drawn; row n is about span n."""

    def __init__(self, vocabulary: Vocabulary, first: npt.NDArray[np.int32]) -> None:
        """`first` are numbers of the vocabulary, (spans, attributes), -1 for none."""
        rows, columns = first.shape
        self._vocabulary = vocabulary
        self._numbers = np.full((rows, MOST), -1, np.int32)
        self._numbers[:, :columns] = first
        self._used = np.count_nonzero(first >= 0, axis=1)
        self._own: list[pa.Array] = []
        self._owned = 0

    def add(self, rows: Numbers, numbers: Numbers) -> None:
        """Gives each of the (distinct) rows one more attribute of the vocabulary."""
        self._numbers[rows, self._used[rows]] = numbers
        self._used[rows] += 1

    def add_values(self, rows: Numbers, key: str, values: pa.Array, which: Numbers | None = None) -> None:
        """Gives each row an attribute with a value of its own, or with the value number `which`."""
        encoded = key_values(key, values)
        numbers = -2 - self._owned - (np.arange(len(values)) if which is None else which)
        self._own.append(encoded)
        self._owned += len(values)
        self.add(rows, numbers)

    def lists(self, order: Numbers) -> pa.ListArray:
        """The attributes of the spans in this order: lists of binary."""
        vocabulary = self._vocabulary.encoded()
        every = pa.concat_arrays([vocabulary, *self._own])
        numbers = self._numbers[order]
        numbers = np.where(numbers < -1, len(vocabulary) - 2 - numbers, numbers)
        present = numbers >= 0
        return listed(np.count_nonzero(present, axis=1), every.take(pa.array(numbers[present])))
