"""Columns of text that is different in every row: UUIDs, addresses, numbers, URLs; made all at once."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vivace.telemetry.arrays import Bytes, Numbers

HEX: Final = np.array([list(f"{byte:02x}".encode()) for byte in range(256)], np.uint8)
DASHES: Final = (8, 13, 18, 23)
"""Where a UUID has its dashes."""


def uuids(random: np.random.Generator, count: int) -> pa.Array:
    """Random UUIDs of version 4."""
    digits = HEX[random.integers(0, 256, (count, 16), np.uint8)].reshape(count, 32)
    text = np.full((count, 36), ord("-"), np.uint8)
    text[:, np.setdiff1d(np.arange(36), DASHES)] = digits
    text[:, 14] = ord("4")
    text[:, 19] = np.frombuffer(b"89ab", np.uint8)[random.integers(0, 4, count)]
    return fixed_texts(text)


def addresses(random: np.random.Generator, count: int) -> pa.Array:
    """IPv4 addresses that are not private."""
    parts = random.integers(1, 255, (4, count))
    parts[0] = random.integers(77, 96, count)
    return pc.binary_join_element_wise(*(decimal(part) for part in parts), ".")


def decimal(numbers: Numbers) -> pa.Array:
    """Numbers as text."""
    return pa.array(numbers).cast(pa.string())


def joined(*parts: pa.Array) -> pa.Array:
    """The parts of each row, one after the other."""
    return pc.binary_join_element_wise(*parts, "")


def fixed_texts(characters: Bytes) -> pa.Array:
    """One string per row of UTF-8, (rows, bytes)."""
    rows, width = characters.shape
    offsets = (np.arange(rows + 1) * width).astype(np.int32)
    return pa.Array.from_buffers(
        pa.string(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(characters))]
    )
