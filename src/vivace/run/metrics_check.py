"""Which of the target's metrics were collected: what `--check-metrics` prints after a profile."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl
from rich.console import Console
from rich.table import Table

from vivace.measure.metrics import read_metrics

EXPECTED: Final = (
    "tempo_distributor_spans_received_total",
    "tempo_distributor_bytes_received_total",
    "tempo_discarded_spans_total",
    "tempo_receiver_accepted_spans",
    "tempo_receiver_refused_spans",
    "tempo_request_duration_seconds_count",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
)
"""What Tempo's own dashboards begin with."""


def print_availability(path: Path, console: Console) -> None:
    """Prints each expected metric with its series and samples, and how many others there are."""
    target = read_metrics(path).filter(pl.col("source") == "target")
    counted = target.group_by("metric").agg(pl.len().alias("samples"), pl.col("labels").n_unique().alias("series"))
    found = {name: (series, samples) for name, samples, series in counted.iter_rows()}
    table = Table("metric", "series", "samples", box=None, header_style="bold", pad_edge=False)
    for name in EXPECTED:
        table.add_row(name, *map(str, found.get(name, ("absent", ""))))
    console.print(table)
    console.print(f"{len(found.keys() - set(EXPECTED))} other metrics; all of them in {path}", soft_wrap=True)
