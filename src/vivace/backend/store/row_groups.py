"""A table cut into the row groups of a Parquet file, each with the dictionary values that it needs and no others.

The writer repeats a column's whole dictionary in every group, which for paths or user IDs would outweigh the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa

SMALL: Final = 256
"""A dictionary of so few values costs less to repeat than to look through."""


def row_groups(batch: pa.RecordBatch, rows: int) -> Iterator[pa.RecordBatch]:
    """Slices of so many rows, the last of fewer."""
    large = [place for place, column in enumerate(batch.columns) if _is_large(column)]
    for first in range(0, batch.num_rows, rows):
        group = batch.slice(first, rows)
        columns = group.columns
        for place in large:
            columns[place] = _with_needed_values(columns[place])
        yield pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _is_large(column: pa.Array) -> bool:
    return isinstance(column, pa.DictionaryArray) and len(column.dictionary) > SMALL


def _with_needed_values(column: pa.DictionaryArray) -> pa.DictionaryArray:
    indices = column.indices
    absent = np.asarray(indices.is_null()) if indices.null_count else None
    numbers = indices.fill_null(0).to_numpy() if indices.null_count else indices.to_numpy()
    needed = np.zeros(len(column.dictionary), np.bool_)
    needed[numbers if absent is None else numbers[~absent]] = True
    renumbered = (np.cumsum(needed, dtype=np.int32) - 1)[numbers]
    values = column.dictionary.take(pa.array(np.flatnonzero(needed)))
    return pa.DictionaryArray.from_arrays(pa.array(renumbered, mask=absent), values)
