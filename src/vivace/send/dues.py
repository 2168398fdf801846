"""Which requests are a worker's, and when they are due."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count as count_from
from typing import Final

import numpy as np

from vivace.pace import Schedule

PIECE: Final = 1024


def worker_dues(
    schedule: Schedule, start_ns: int, duration_s: float, worker: int, workers: int, *, requests: int | None = None
) -> Iterator[tuple[int, int]]:
    """Number and due time (Unix nanoseconds) of the requests worker, worker + workers, … in [0, duration_s).

    `duration_s` may be infinite; of `requests` there are no more than so many, over all workers.
    """
    for first in count_from(0, PIECE * workers):
        count = PIECE * workers if requests is None else min(PIECE * workers, requests - first)
        if count <= 0:
            return
        due_s = schedule.due(first, count)
        inside = int(np.searchsorted(due_s, min(duration_s, np.finfo(float).max), side="left"))
        due = np.rint(due_s[worker:inside:workers] * 1e9).astype(np.int64) + start_ns
        yield from zip(range(first + worker, first + inside, workers), due.tolist(), strict=True)
        if inside < count:
            return
