"""Attributes of many spans: every distinct attribute is encoded once, spans refer to them by number."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from vivace.telemetry.arrays import Flags, Numbers
from vivace.telemetry.encode import key_values, listed

Scalar: TypeAlias = str | bool | int | float | tuple[str, ...]

MOST: Final = 20
"""Attributes that a span has at most by itself."""


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
        self._sequences: dict[tuple[str, tuple[str, ...] | tuple[int, ...]], int] = {}
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

    def sequence(self, key: str, values: tuple[str, ...] | tuple[int, ...]) -> int:
        """The number of the first attribute of a run that has these values, one after the other."""
        known = self._sequences.get((key, values))
        if known is not None:
            return known
        self._sequences[key, values] = first = len(self._encoded)
        self._encoded += [key_value(key, value).SerializeToString(deterministic=True) for value in values]
        return first

    def encoded(self) -> pa.Array:
        """All of them: binary."""
        return pa.array(self._encoded, pa.binary())

    def of_keys(self, keys: Collection[str]) -> Flags:
        """By number: whether the attribute has one of these keys."""
        return np.array([key in keys for key, _, _ in self._number], np.bool_)


class AttributeTable:
    """The attributes of a batch of spans while they are drawn; row n is about span n."""

    def __init__(
        self, vocabulary: Vocabulary, first: npt.NDArray[np.int32], replaced: Collection[str] = frozenset()
    ) -> None:
        """`first` are numbers of the vocabulary, (spans, attributes), -1 for none.

        Attributes of the `replaced` keys are left out, but for those that are added encoded.
        """
        rows, columns = first.shape
        self._vocabulary = vocabulary
        self._replaced = replaced
        self._numbers = np.full((rows, MOST + len(replaced)), -1, np.int32)
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
        if key not in self._replaced:
            self.add_encoded(rows, key_values(key, values), which)

    def add_encoded(self, rows: Numbers, attributes: pa.Array, which: Numbers | None = None) -> None:
        """Gives each row an encoded attribute of its own, or attribute number `which`."""
        numbers = -2 - self._owned - (np.arange(len(attributes)) if which is None else which)
        self._own.append(attributes)
        self._owned += len(attributes)
        self.add(rows, numbers)

    def lists(self, order: Numbers) -> pa.ListArray:
        """The attributes of the spans in this order: lists of binary."""
        vocabulary = self._vocabulary.encoded()
        every = pa.concat_arrays([vocabulary, *self._own])
        numbers = self._numbers[order]
        if self._replaced:
            gone = self._vocabulary.of_keys(self._replaced)
            numbers = np.where((numbers >= 0) & gone[np.maximum(numbers, 0)], -1, numbers)
        numbers = np.where(numbers < -1, len(vocabulary) - 2 - numbers, numbers)
        present = numbers >= 0
        return listed(np.count_nonzero(present, axis=1), every.take(pa.array(numbers[present])))
