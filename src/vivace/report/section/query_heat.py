"""Response times of queries as a heat map: every one of them, where percentiles show only the edge."""

from __future__ import annotations

from math import ceil
from typing import Final

import numpy as np
import polars as pl

from vivace.measure.series import heat_series
from vivace.report.chart.figure import Elapsed, Figure, Ink, Series
from vivace.report.chart.heat import heat_chart
from vivace.report.chart.scale import Scale, logarithmic
from vivace.report.evidence import Evidence
from vivace.report.markup import Html
from vivace.report.quantity import milliseconds

MOST_COLUMNS: Final = 120
ROWS: Final = 28


def query_heat(evidence: Evidence) -> Html | None:
    """None where no response time is above zero."""
    rows = heat_series(evidence.queries, evidence.start_ns).filter(pl.col("response_ms") > 0)
    if rows.is_empty():
        return None
    step_s = ceil(evidence.seconds / MOST_COLUMNS)
    columns = ceil(evidence.seconds / step_s)
    scale = logarithmic(rows["response_ms"].to_list(), milliseconds)
    lines = [
        Series("p99", _percentiles(rows, step_s, columns, 0.99), Ink.OTHER),
        Series("median", _percentiles(rows, step_s, columns, 0.5), Ink.OTHER_SOFT),
    ]
    note = "response time of every query, the darker the more"
    figure = Figure("Heat map", "ms", Elapsed(step_s, columns), scale, note)
    return heat_chart(figure, _counts(rows, step_s, columns, scale), lines)


def _counts(rows: pl.DataFrame, step_s: int, columns: int, scale: Scale) -> list[list[int]]:
    """By column and row; what came after the last column belongs to it."""
    places = [scale.place(value) for value in rows["response_ms"].to_list()]
    column = np.clip(rows["second"].to_numpy() // step_s, 0, columns - 1)
    row = np.minimum(np.array(places) * ROWS, ROWS - 1)
    counts = np.zeros((columns, ROWS), np.int64)
    np.add.at(counts, (column.astype(np.int64), row.astype(np.int64)), 1)
    found: list[list[int]] = counts.tolist()
    return found


def _percentiles(rows: pl.DataFrame, step_s: int, columns: int, share: float) -> list[float | None]:
    column = (pl.col("second") // step_s).clip(0, columns - 1).cast(pl.Int64).alias("column")
    found = rows.group_by(column).agg(pl.col("response_ms").quantile(share, "higher"))
    by_column = dict(found.iter_rows())
    return [by_column.get(number) for number in range(columns)]
