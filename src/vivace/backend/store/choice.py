"""Which attributes have a column of their own; all others are in the overflow."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

CELLS: Final = 1 << 27
"""The bound on rows times attribute columns of a table, which bounds the memory that merging it takes."""
LEAST_COLUMNS: Final = 128
"""So many columns may be there in any case."""
RARE: Final = 512
"""A further one must have a value in one of so many rows: it takes as much memory as ten times its values elsewhere."""


def worth_a_column(values: npt.NDArray[np.integer], rows: int, limit: int) -> npt.NDArray[np.bool_]:
    """Whether each column of a table is kept, by how many of the rows have a value in it; `limit` of them at most."""
    limit = min(limit, max(LEAST_COLUMNS, CELLS // max(1, rows)))
    most = np.argsort(-values, kind="stable")[:limit]
    enough = values[most] * RARE >= max(rows, 1)
    enough[:LEAST_COLUMNS] = values[most[:LEAST_COLUMNS]] > 0
    worth = np.zeros(len(values), np.bool_)
    worth[most[enough]] = True
    return worth
