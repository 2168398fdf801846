"""The columns that telemetry is made of."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Bytes: TypeAlias = npt.NDArray[np.uint8]
Numbers: TypeAlias = npt.NDArray[np.int64]
"""Counts, rows, places, nanoseconds."""
Words: TypeAlias = npt.NDArray[np.uint64]
"""8 bytes each, little-endian."""
Flags: TypeAlias = npt.NDArray[np.bool_]
