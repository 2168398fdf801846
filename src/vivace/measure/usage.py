"""Samples of a run -> what generator and target used while it lasted, and what the target says that it received."""

from __future__ import annotations

from typing import Final

import polars as pl

from vivace.measure.figures import ProcessFigures, ResourceFigures, TargetResources
from vivace.measure.metrics import CLOCK_STEP, CPU_SECONDS, MEMORY_BYTES, UP, Source

RECEIVED_SPANS: Final = ("tempo_distributor_spans_received_total", "otelcol_receiver_accepted_spans_total")
"""A target's own count of the spans it took in, by the names that targets give it."""


def resource_figures(metrics: pl.DataFrame, acknowledged_spans: int | None = None) -> ResourceFigures | None:
    """Figures of the samples of a run (as METRICS); None when there are none."""
    generator, target = _process_figures(metrics, "generator"), _target_figures(metrics, acknowledged_spans)
    if generator is None and target is None:
        return None
    return ResourceFigures(generator=generator, target=target)


def clock_step_ms(metrics: pl.DataFrame) -> float | None:
    """The farthest that the system's clock was set; None when it was not watched."""
    steps = metrics.filter(pl.col("metric") == CLOCK_STEP)["value"]
    return None if steps.is_empty() else float(steps[int(steps.abs().arg_max() or 0)]) * 1000


def core_series(metrics: pl.DataFrame) -> pl.DataFrame:
    """Columns: time_s, source, labels, cores: CPU time over each interval that ends at time_s, by process."""
    used = metrics.filter(pl.col("metric") == CPU_SECONDS).sort("time_s")
    seconds, cpu = (pl.col(name).diff().over("source", "labels") for name in ("time_s", "value"))
    return (
        used.with_columns(cores=pl.when(seconds > 0).then(cpu / seconds))
        .filter(pl.col("cores").is_not_null())
        .select("time_s", "source", "labels", "cores")
    )


def memory_series(metrics: pl.DataFrame) -> pl.DataFrame:
    """Columns: time_s, source, labels, bytes: resident memory by process."""
    resident = metrics.filter(pl.col("metric") == MEMORY_BYTES).sort("time_s")
    return resident.select("time_s", "source", "labels", pl.col("value").cast(pl.Int64).alias("bytes"))


def _process_figures(metrics: pl.DataFrame, source: Source) -> ProcessFigures | None:
    own = metrics.filter(pl.col("source") == source)
    used = own.filter(pl.col("metric") == CPU_SECONDS)
    memory = memory_series(own).group_by("time_s").agg(pl.col("bytes").sum())["bytes"].max()
    if used.is_empty() and memory is None:
        return None
    cores = core_series(own).group_by("time_s").agg(pl.col("cores").sum())["cores"].max()
    seconds = _length(used)
    cpu = _increase(used) if seconds else None
    return ProcessFigures(
        cpu_seconds=cpu,
        cpu_cores_mean=None if cpu is None or not seconds else cpu / seconds,
        cpu_cores_max=cores if isinstance(cores, float) else None,
        memory_max_bytes=memory if isinstance(memory, int) else None,
    )


def _target_figures(metrics: pl.DataFrame, acknowledged_spans: int | None) -> TargetResources | None:
    processes = _process_figures(metrics, "target")
    scrapes = metrics.filter((pl.col("source") == "target") & (pl.col("metric") == UP))
    if processes is None and scrapes.is_empty():
        return None
    cpu = None if processes is None else processes.cpu_seconds
    return TargetResources(
        **({} if processes is None else dict(processes)),
        cpu_seconds_per_million_spans=cpu / acknowledged_spans * 1e6
        if cpu is not None and acknowledged_spans
        else None,
        received_spans=_received(metrics, scrapes),
        scrapes=None if scrapes.is_empty() else scrapes.height,
        failed_scrapes=None if scrapes.is_empty() else int((scrapes["value"] == 0).sum()),
    )


def _received(metrics: pl.DataFrame, scrapes: pl.DataFrame) -> int | None:
    """The increase of the target's own count, which starts at zero when the first scrape did not have it yet."""
    for name in RECEIVED_SPANS:
        counted = (pl.col("source") == "target") & (pl.col("metric") == name) & pl.col("value").is_finite()
        counts = metrics.filter(counted)
        if counts.is_empty():
            continue
        totals = counts.group_by("time_s").agg(pl.col("value").sum()).sort("time_s")
        first_scrape = scrapes.filter(pl.col("value") == 1)["time_s"].min()
        since = float(totals["value"][0]) if totals["time_s"][0] == first_scrape else 0.0
        return round(float(totals["value"][-1]) - since)
    return None


def _increase(used: pl.DataFrame) -> float:
    by_process = used.sort("time_s").group_by("labels").agg(pl.col("value").last() - pl.col("value").first())
    return float(by_process["value"].sum())


def _length(used: pl.DataFrame) -> float:
    first, last = used["time_s"].min(), used["time_s"].max()
    return last - first if isinstance(first, float) and isinstance(last, float) else 0.0
