"""Which requests are a worker's, and when they are due."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from vivace.pace import Schedule

PIECE: Final = 1024


def worker_dues(
    schedule: Schedule, start_ns: int, duration_s: float, worker: int, workers: int
) -> Iterator[tuple[int, int]]:
    """Number and due time (Unix nanoseconds) of the requests worker, worker + workers, … in [0, duration_s)."""
    total = schedule.count(duration_s)
    for first in range(0, total, PIECE * workers):
        count = min(PIECE * workers, total - first)
        due = np.rint(schedule.due(first, count)[worker::workers] * 1e9).astype(np.int64) + start_ns
        yield from zip(range(first + worker, first + count, workers), due.tolist(), strict=True)
