"""Which of a ledger's requests the generator itself started late: past LATE_NS after they were due, a VU being free."""

from __future__ import annotations

from typing import Final

import polars as pl

from vivace.measure.latency import LATE

LATE_NS: Final = 100_000_000


def late_count(rows: pl.DataFrame, vus_max: int | None) -> int:
    """How many were started late; those that found all VUs (of their worker) busy when they were due are excused."""
    started = rows.filter(pl.col("started_ns").is_not_null())
    if vus_max is None or "worker" not in rows.columns:
        return _late(started, vus_max)
    workers = max(1, rows["worker"].n_unique())
    return sum(_late(group, max(1, vus_max // workers)) for group in started.partition_by("worker"))


def _late(started: pl.DataFrame, vus: int | None) -> int:
    late = started.filter(LATE > LATE_NS)
    if vus is None or late.is_empty():
        return late.height
    return int((in_flight(started, late["due_ns"]) < vus).sum())


def in_flight(started: pl.DataFrame, moments: pl.Series) -> pl.Series:
    """How many of the started requests were in flight at each of the moments (Unix nanoseconds)."""
    begun = started["started_ns"].sort().search_sorted(moments, side="right")
    over = started["ended_ns"].drop_nulls().sort().search_sorted(moments, side="right")
    return begun.cast(pl.Int64) - over.cast(pl.Int64)
