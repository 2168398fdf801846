"""A profile's files in a run's folder -> what the report shows: its figures, and ledgers for what no figure says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor
from pathlib import Path
from typing import Final

import polars as pl
from polars.exceptions import PolarsError

from vivace.errors import OutputError
from vivace.ledger import PROBES, QUERIES, SENDS, read_ledger
from vivace.measure.figures import Figures, read_figures
from vivace.measure.metrics import METRICS, read_metrics

NS: Final = 1_000_000_000
MOST_POINTS: Final = 600
SUFFIXES: Final = ("-ingestion-metrics.json", "-query-metrics.json")
"""Files beside the figures that are JSON too."""


@dataclass(frozen=True)
class Evidence:
    """What one profile's run left behind; a ledger that is not there is empty."""

    figures: Figures
    sends: pl.DataFrame
    queries: pl.DataFrame
    probes: pl.DataFrame
    metrics: pl.DataFrame

    @cached_property
    def start_ns(self) -> int:
        """Second zero of every chart: when the first request or query was due."""
        due = [rows["due_ns"].min() for rows in (self.sends, self.queries)]
        return min((moment for moment in due if isinstance(moment, int)), default=0)

    @cached_property
    def seconds(self) -> int:
        """How many seconds charts show: those of the load, and what came later where that was over a second."""
        lasted = max(1, floor(self.figures.duration_s + 0.25))
        ended = [rows["ended_ns"].max() for rows in (self.sends, self.queries)]
        last = max(((moment - self.start_ns) / NS for moment in ended if isinstance(moment, int)), default=0.0)
        return ceil(last) if last > lasted + 1 else lasted

    @property
    def step_s(self) -> int:
        """Seconds that one point of a chart over time stands for."""
        return ceil(self.seconds / MOST_POINTS)

    @property
    def points(self) -> int:
        """Points of a chart over time."""
        return ceil(self.seconds / self.step_s)


def read_evidence(folder: Path, profile: str) -> Evidence:
    """Reads a profile's files; OutputError names the first that cannot be read."""
    figures = read_figures(folder / f"{profile}.json")
    return Evidence(
        figures=figures.model_copy(update={"warnings": (*figures.warnings, *_removed(folder, figures))}),
        sends=_ledger(folder, f"{profile}-sends.parquet", SENDS),
        queries=_ledger(folder, f"{profile}-queries.parquet", QUERIES),
        probes=_ledger(folder, f"{profile}-probes.parquet", PROBES),
        metrics=_read(folder / f"{profile}-metrics.csv", METRICS, read_metrics),
    )


def _removed(folder: Path, figures: Figures) -> Iterator[str]:
    """What is to be said of ledgers that the run wrote, and that are not there any more."""
    parts = {"sends": figures.ingest, "queries": figures.query, "probes": figures.verification}
    for name, part in parts.items():
        path = folder / f"{figures.profile}-{name}.parquet"
        if part is not None and not path.exists():
            yield f"{path.name} is not there any more: the figures are as measured, its charts are left out"


def profiles_in(folder: Path) -> list[str]:
    """Names of the profiles whose figures lie in the folder; OutputError when there are none."""
    if not folder.is_dir():
        raise OutputError(f"{folder}: there is no such folder; name one that a run has left, such as results/latest")
    names = [path.stem for path in sorted(folder.glob("*.json")) if not path.name.endswith(SUFFIXES)]
    if not names:
        raise OutputError(f"{folder}: no run has left its figures here; name a folder such as results/latest")
    return names


def _read(path: Path, empty: pl.Schema, reader: Callable[[Path], pl.DataFrame]) -> pl.DataFrame:
    if not path.exists():
        return pl.DataFrame(schema=empty)
    try:
        return reader(path)
    except (PolarsError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise OutputError(f"{path}: cannot be read: {reason}; run the profile again, or remove the file") from error


def _ledger(folder: Path, name: str, schema: pl.Schema) -> pl.DataFrame:
    return _read(folder / name, schema, lambda path: read_ledger(path, schema))
