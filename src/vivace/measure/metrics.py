"""`<profile>-metrics.csv`: what was sampled each second of generator and target, written while it runs and read back.

A row is a sample: time_s (Unix seconds), source (generator or target), metric, labels (`key="value"`, …), value. The
samples of one moment share their time.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

import polars as pl

from vivace.errors import OutputError

Source: TypeAlias = Literal["generator", "target"]

CPU_SECONDS: Final = "process_cpu_seconds_total"
MEMORY_BYTES: Final = "process_resident_memory_bytes"
CLOCK_STEP: Final = "clock_step_seconds"
UP: Final = "up"
"""1 when the target's metrics could be read, else 0 and why in the label `error`."""

METRICS: Final = pl.Schema(
    {"time_s": pl.Float64, "source": pl.String, "metric": pl.String, "labels": pl.String, "value": pl.Float64}
)


class Sample(NamedTuple):
    """One value of one moment."""

    source: Source
    metric: str
    labels: str
    value: float


class MetricsWriter:
    """Appends the samples of each moment to the file; OutputError when it cannot be made."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("w", newline="", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror}; choose another folder") from error
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(METRICS.names())

    def append(self, time_s: float, samples: Iterable[Sample]) -> None:
        """Writes what was sampled at a moment, and hands it to the operating system."""
        self._rows.writerows((f"{time_s:.3f}", *sample[:3], repr(float(sample.value))) for sample in samples)
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def read_metrics(path: Path) -> pl.DataFrame:
    """The samples of a run, as METRICS; a last line that was torn off is left out."""
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole.count("\n") < 2:
        return pl.DataFrame(schema=METRICS)
    return pl.read_csv(whole.encode(), schema=METRICS, empty_string_is_null=False)


def label_text(labels: Mapping[str, str]) -> str:
    """Labels as Prometheus writes them between braces, ordered by name."""
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items()))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
