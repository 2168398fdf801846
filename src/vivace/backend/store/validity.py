"""Which rows of an array have a value, as NumPy sees it and as Arrow does."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Mask = npt.NDArray[np.bool_]


def valid_rows(array: pa.Array) -> Mask:
    """True where an array is not null."""
    bitmap = array.buffers()[0]
    if array.null_count == 0 or bitmap is None:
        return np.full(len(array), array.null_count == 0, np.bool_)
    start, stop = array.offset, array.offset + len(array)
    data = np.frombuffer(bitmap, np.uint8)[start // 8 : -(-stop // 8)]
    return np.unpackbits(data, bitorder="little")[start % 8 :][: len(array)].view(np.bool_)


def with_nulls(values: npt.NDArray[np.int32], valid: Mask) -> pa.Int32Array:
    """An array of the values, null where they are not valid."""
    bitmap = pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(pa.int32(), len(values), [bitmap, pa.py_buffer(values)])
