"""Small numbers that are equal where values, lists or rows are: so that any number of columns can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Numbers = npt.NDArray[np.int32]
Words = npt.NDArray[np.int64]

_ROOM: Final = 1 << 62
"""As many different values can columns that share a word have together."""


def numbered(column: pa.Array) -> Numbers:
    """Equal numbers for equal values of a column, -1 for null; floats are equal when their bits are."""
    if isinstance(column, pa.ListArray):
        lengths = pc.list_value_length(column).fill_null(0).to_numpy()
        numbers = numbered_lists(lengths, numbered(column.flatten()))
        return np.where(column.is_valid().to_numpy(zero_copy_only=False), numbers, np.int32(-1))
    bits = column.view(pa.int64()) if pa.types.is_floating(column.type) else column
    encoded = bits if isinstance(bits, pa.DictionaryArray) else bits.dictionary_encode()
    return _filled(encoded.indices)


def compared(column: pa.Array) -> Numbers | Words:
    """What to compare of a column: words as they are, numbers of all else."""
    if column.null_count == 0 and (pa.types.is_int64(column.type) or pa.types.is_uint64(column.type)):
        words: Words = column.view(pa.int64()).to_numpy()
        return words
    return numbered(column)


def numbered_lists(lengths: npt.NDArray[np.integer], elements: Numbers) -> Numbers:
    """Equal numbers for equal lists of such lengths, whose elements are given one list after the other."""
    ends = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return _encoded(ends, elements)


def numbered_rows(columns: Sequence[Numbers | Words], rows: int) -> Numbers:
    """Equal numbers for rows that have equal numbers, or equal words, in every column."""
    words = _packed(columns, rows)
    ends = np.arange(rows + 1, dtype=np.int64) * len(words)
    return _encoded(ends, np.stack(words, axis=1))


def _packed(columns: Sequence[Numbers | Words], rows: int) -> list[Words]:
    """Few words for many columns: as many columns of numbers as have room are the digits of one word."""
    words = [column.astype(np.int64, copy=False) for column in columns if column.dtype == np.int64]
    words, room = [*words, np.zeros(rows, np.int64)], _ROOM
    for numbers in (column for column in columns if column.dtype != np.int64):
        size = int(numbers.max(initial=-1)) + 2
        if size > room:
            words.append(np.zeros(rows, np.int64))
            room = _ROOM
        words[-1] = words[-1] * size + (numbers + 1)
        room //= size
    return words


def _encoded(ends: Words, words: Numbers | Words) -> Numbers:
    buffers = [None, pa.py_buffer(ends * words.itemsize), pa.py_buffer(words)]
    pieces = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(ends) - 1, buffers)
    return _filled(pieces.dictionary_encode().indices)


def _filled(indices: pa.Int32Array) -> Numbers:
    numbers: Numbers = (indices.fill_null(-1) if indices.null_count else indices).to_numpy()
    return numbers
