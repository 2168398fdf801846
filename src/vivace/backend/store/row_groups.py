"""A table cut into the row groups of a Parquet file, each with the dictionary values that it needs and no others.

The writer repeats a column's whole dictionary in every group, which for paths or user IDs would outweigh the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa

from vivace.backend.store.validity import valid_rows, with_nulls

SMALL: Final = 256
"""A dictionary of so few values costs less to repeat than to look through."""


def row_groups(batch: pa.RecordBatch, rows: int) -> Iterator[pa.RecordBatch]:
    """Slices of so many rows, the last of fewer."""
    large = [place for place, column in enumerate(batch.columns) if _is_large(column)]
    for first in range(0, batch.num_rows, rows):
        group = batch.slice(first, rows)
        columns = group.columns
        for place in large:
            columns[place] = with_needed_values(columns[place])
        yield pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _is_large(column: pa.Array) -> bool:
    return isinstance(column, pa.DictionaryArray) and len(column.dictionary) > SMALL


def with_needed_values(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """The same values with a dictionary of those that occur."""
    valid = valid_rows(column)
    numbers = np.frombuffer(column.indices.buffers()[1], np.int32)[column.offset :][: len(column)]
    needed = np.zeros(len(column.dictionary), np.bool_)
    needed[numbers[valid]] = True
    renumbered = (np.cumsum(needed, dtype=np.int32) - 1)[np.where(valid, numbers, 0)]
    values = column.dictionary.take(pa.array(np.flatnonzero(needed)))
    return pa.DictionaryArray.from_arrays(with_nulls(renumbered, valid), values, safe=False)
