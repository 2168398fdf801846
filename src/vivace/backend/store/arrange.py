"""The order of rows: spans by trace and start, and equal resources or scopes made one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vivace.backend.store.numbering import numbered_rows

Rows = npt.NDArray[np.int32]
Order = npt.NDArray[np.intp]
Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class SpanOrder:
    """Distinct traces ordered by ID, and the order of spans by trace, then start."""

    trace_hi: Words
    trace_lo: Words
    trace: npt.NDArray[np.uint32]
    """By new row of spans: the row of its trace."""
    order: Order
    """New row -> old row."""

    @property
    def traces(self) -> pa.RecordBatch:
        """The traces table."""
        count = np.bincount(self.trace, minlength=len(self.trace_hi)).astype(np.uint32)
        first = (np.cumsum(count) - count).astype(np.uint32)
        return pa.RecordBatch.from_arrays(
            [pa.array(self.trace_hi), pa.array(self.trace_lo), pa.array(first), pa.array(count)],
            names=["trace_hi", "trace_lo", "first", "count"],
        )


def order_spans(trace_hi: Words, trace_lo: Words, start: npt.NDArray[np.int64]) -> SpanOrder:
    """Orders spans given in any order."""
    identities = np.stack([trace_hi, trace_lo], axis=1)
    numbered = _numbered(identities.view(np.uint8).reshape(-1), 16)
    distinct = np.frombuffer(numbered.dictionary.buffers()[1] or b"", np.uint64).reshape(-1, 2)
    by_identity = np.lexsort((distinct[:, 1], distinct[:, 0]))
    trace = inverse(by_identity, len(by_identity))[numbered.indices.to_numpy()]
    by_start = np.argsort(start, kind="stable")
    small = trace.astype(np.uint16) if len(distinct) <= 1 << 16 else trace  # 16 bits are sorted by radix
    order = by_start[np.argsort(small[by_start], kind="stable")]
    ordered = distinct[by_identity]
    return SpanOrder(
        np.ascontiguousarray(ordered[:, 0]), np.ascontiguousarray(ordered[:, 1]), trace[order].astype(np.uint32), order
    )


def inverse(order: Order, rows: int) -> Rows:
    """Old row -> new row for an order of new row -> old row; -1 for rows that have no place in it."""
    position = np.full(rows, -1, np.int32)
    position[order] = np.arange(len(order), dtype=np.int32)
    return position


@dataclass(frozen=True, slots=True)
class Distinct:
    """Which of several equal rows is kept."""

    kept: Order
    """New row -> old row, in the order of first appearance."""
    row: npt.NDArray[np.uint32]
    """Old row -> new row of its equal; meaningless for rows that nothing refers to."""


def distinct_rows(columns: Sequence[Rows], used: npt.NDArray[np.bool_]) -> Distinct:
    """Rows are equal when they have equal numbers in every column."""
    rows = np.flatnonzero(used)
    numbers = numbered_rows([column[rows] for column in columns], len(rows))
    row = np.zeros(len(used), np.uint32)
    row[rows] = numbers
    return Distinct(rows[np.unique(numbers, return_index=True)[1]], row)


def _numbered(data: npt.NDArray[np.uint8], size: int) -> pa.DictionaryArray:
    rows = len(data) // size
    fixed = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(size), rows, [None, pa.py_buffer(np.ascontiguousarray(data))]
    )
    return fixed.dictionary_encode()
