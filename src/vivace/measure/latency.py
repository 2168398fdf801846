"""Nanoseconds of a ledger -> percentiles in milliseconds, exact: each is a value that was measured."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import polars as pl

from vivace.measure.figures import Latency

PER_MILLE: Final[Mapping[str, int]] = MappingProxyType(
    {"p50": 500, "p90": 900, "p95": 950, "p99": 990, "p999": 999, "max": 1000}
)
NS_PER_MS: Final = 1e6

RESPONSE: Final = pl.col("ended_ns") - pl.col("due_ns")
SERVICE: Final = pl.col("ended_ns") - pl.col("started_ns")
LATE: Final = pl.col("started_ns") - pl.col("due_ns")


def latency(nanoseconds: pl.Series) -> Latency | None:
    """Percentiles by nearest rank: the least value that so many of a thousand do not exceed; None without values."""
    ordered = nanoseconds.drop_nulls().sort()
    if ordered.is_empty():
        return None
    ranks = {name: -(-ordered.len() * share // 1000) - 1 for name, share in PER_MILLE.items()}
    return Latency(**{name: ordered[rank] / NS_PER_MS for name, rank in ranks.items()})


def percentile(column: pl.Expr, name: str) -> pl.Expr:
    """The same percentile as an expression, in milliseconds, for a group; null without values."""
    ordered = column.drop_nulls().sort()
    rank = (ordered.len() * PER_MILLE[name] + 999) // 1000 - 1
    return ordered.get(rank, null_on_oob=True).cast(pl.Float64) / NS_PER_MS
