"""Which columns have a value in which rows, coarsely; kept with a table, so that few rows need few columns read.

A trace has values in a third of a block's columns, and decoding a column costs the same whatever is in it.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vivace.backend.store.validity import valid_rows

STRIDE: Final = 32
"""Rows that share a bit."""


@dataclass(frozen=True, slots=True)
class Presence:
    """A bit per column and STRIDE rows: whether any of the rows has a value."""

    bits: npt.NDArray[np.uint8]
    """Columns by packed strides."""

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> Presence:
        """Of the columns of a batch, in their order."""
        strides = -(-batch.num_rows // STRIDE)
        bits = np.full((batch.num_columns, -(-strides // 8)), 0xFF, np.uint8)
        for number, column in enumerate(batch.columns):
            if column.null_count:
                valid = np.zeros(strides * STRIDE, np.bool_)
                valid[: len(column)] = valid_rows(column)
                bits[number] = np.packbits(
                    valid.view(np.uint64).reshape(-1, STRIDE // 8).any(axis=1)
                )  # eight rows a word
        return cls(bits)

    def encode(self) -> bytes:
        """The bits, compressed, as text."""
        return base64.b85encode(zlib.compress(self.bits.tobytes()))

    @classmethod
    def decode(cls, data: bytes, columns: int) -> Presence:
        """What `encode` made of so many columns."""
        return cls(np.frombuffer(zlib.decompress(base64.b85decode(data)), np.uint8).reshape(columns, -1))

    def within(self, names: Sequence[str], first: int, count: int) -> list[str]:
        """The names, one per column, of those that have a value in some of the rows from `first`."""
        start, stop = first // STRIDE, -(-(first + count) // STRIDE)
        strides = np.unpackbits(self.bits[:, start // 8 : -(-stop // 8)], axis=1)[:, start % 8 :]
        return [names[place] for place in np.flatnonzero(strides[:, : stop - start].any(axis=1)).tolist()]
