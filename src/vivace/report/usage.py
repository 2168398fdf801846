"""Samples of processes -> cores and megabytes that each used, as charts take them."""

from __future__ import annotations

import polars as pl

from vivace.measure.metrics import Source
from vivace.measure.usage import core_series, memory_series
from vivace.report.curves import Values, over_time
from vivace.report.evidence import NS, Evidence


def cores(evidence: Evidence, source: Source) -> dict[str, Values]:
    """Cores that each process of a source used between two samples; the busiest first."""
    return _over_time(evidence, core_series(evidence.metrics), source, pl.col("cores"))


def memory(evidence: Evidence, source: Source) -> dict[str, Values]:
    """Megabytes of memory that each process of a source held; the largest first."""
    return _over_time(evidence, memory_series(evidence.metrics), source, pl.col("bytes") / 1e6)


def _over_time(evidence: Evidence, samples: pl.DataFrame, source: Source, value: pl.Expr) -> dict[str, Values]:
    """A sample stands for the second that it ends; seconds without one are gaps."""
    elapsed = pl.col("time_s") - evidence.start_ns / NS
    name = pl.coalesce(pl.col("labels").str.extract(r'process="([^"]*)"'), pl.col("labels").replace("", source))
    known = samples.filter((pl.col("source") == source) & elapsed.is_between(0, evidence.seconds))
    second = (elapsed - 1).ceil().clip(0).cast(pl.Int64)
    rows = known.select(name.alias("process"), second.alias("second"), value.alias("value"))
    rows = rows.group_by("process", "second").agg(pl.col("value").max())
    means = rows.group_by("process").agg(pl.col("value").mean()).sort("value", "process", descending=[True, False])
    return {name: over_time(evidence, rows.filter(pl.col("process") == name), "value")[0] for name in means["process"]}
