"""Series, curves and distributions as charts take them: evenly spaced, at most a few hundred points, peaks kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10, sqrt
from typing import Final

import polars as pl

from vivace.measure.latency import NS_PER_MS, SERVICE, percentile
from vivace.report.evidence import NS, Evidence

Values = list[float | None]

CURVE_POINTS: Final = 160
FEWEST_BINS: Final = 8
MOST_BINS: Final = 32


@dataclass(frozen=True, slots=True)
class Curve:
    """Percentiles of a latency: shares (0.5 to 1) and the milliseconds that so many did not exceed."""

    shares: tuple[float, ...]
    milliseconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Distribution:
    """How many values lie in each of evenly wide bins from zero; `open` tells that the last one has no upper bound."""

    width: float
    counts: tuple[int, ...]
    open: bool


def over_time(evidence: Evidence, frame: pl.DataFrame, *columns: str, mean: bool = False) -> list[Values]:
    """Columns of a frame with a row per `second`, thinned to the charts' points: the highest value of each step.

    `mean` takes the mean instead, for rates, of which a highest value would hide a gap.
    """
    seconds = pl.DataFrame({"second": pl.int_range(0, evidence.seconds, eager=True)})
    joined = seconds.join(frame.select(pl.col("second").cast(pl.Int64), *columns), on="second", how="left")
    kept = [pl.col(name).mean() if mean else pl.col(name).max() for name in columns]
    thinned = joined.group_by(pl.col("second") // evidence.step_s, maintain_order=True).agg(kept)
    return [thinned[name].cast(pl.Float64).to_list() for name in columns]


def service_series(rows: pl.DataFrame, start_ns: int) -> pl.DataFrame:
    """Columns: second (in which a request was due), p50 and p99 of its service time in ms."""
    second = ((pl.col("due_ns") - start_ns) // NS).alias("second")
    sent = rows.filter(pl.col("ended_ns").is_not_null())
    return sent.group_by(second).agg(percentile(SERVICE, "p50").alias("p50"), percentile(SERVICE, "p99").alias("p99"))


def percentile_curve(rows: pl.DataFrame, duration: pl.Expr) -> Curve | None:
    """The upper half of a distribution, each point a value that was measured; None without values."""
    ordered = rows.select(duration).to_series().drop_nulls().sort()
    count = ordered.len()
    if count == 0:
        return None
    deepest = log10(max(count, 2))
    positions = [log10(2) + (deepest - log10(2)) * n / CURVE_POINTS for n in range(CURVE_POINTS + 1)]
    ranks = sorted({min(max(ceil(count * (1 - 10**-place) - 1e-9), 1), count) for place in positions} | {count})
    values = ordered.gather([rank - 1 for rank in ranks]) / NS_PER_MS
    return Curve(tuple(rank / count for rank in ranks), tuple(values.to_list()))


def distribution(values: pl.Series) -> Distribution | None:
    """Counts in bins of a round width, more of them for more values; a thin tail is gathered in the last one."""
    known = values.drop_nulls()
    if known.is_empty():
        return None
    most, usual = float(known.max()), float(known.quantile(0.99, "higher"))  # type: ignore[arg-type]
    shown = most if most <= usual * 2 else usual * 1.5
    wanted = min(max(FEWEST_BINS, ceil(2 * sqrt(known.len()))), MOST_BINS)
    width = round_up(max(shown, 1e-6) / wanted)
    bins = floor(shown / width) + 1
    counts = [0] * bins
    for place, number in (known // width).clip(0, bins - 1).cast(pl.Int64).value_counts().iter_rows():
        counts[place] = number
    return Distribution(width, tuple(counts), most >= bins * width)


def round_up(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    decade = 10.0 ** floor(log10(value))
    return next(factor * decade for factor in (1, 2, 5, 10) if factor * decade >= value * (1 - 1e-9))


def by_kind(evidence: Evidence, frame: pl.DataFrame, kind: str, number: str) -> dict[str, Values]:
    """A frame with a row per second and kind -> values over time for each kind, the most frequent first; 0 in gaps."""
    totals = frame.group_by(kind).agg(pl.col(number).sum()).sort(number, kind, descending=[True, False])
    return {
        name: [value or 0.0 for value in over_time(evidence, frame.filter(pl.col(kind) == name), number)[0]]
        for name in totals[kind].to_list()
    }


def gathered(kinds: dict[str, Values], most: int) -> dict[str, Values]:
    """The first kinds, and all others summed as one."""
    if len(kinds) <= most:
        return kinds
    names = list(kinds)
    kept = {name: kinds[name] for name in names[: most - 1]}
    return kept | {"others": _sum([kinds[name] for name in names[most - 1 :]])}


def highest(series: Sequence[Values]) -> list[float]:
    """All known values, from which an axis finds its bounds."""
    return [value for values in series for value in values if value is not None]


def _sum(series: Sequence[Values]) -> Values:
    return [sum(value or 0.0 for value in values) for values in zip(*series, strict=True)]
