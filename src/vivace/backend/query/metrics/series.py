"""Series, and how partial figures become them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from vivace.backend.query.metrics.partial import EXPONENTS, HISTOGRAMS, SECONDS, Floats, Label, Partial
from vivace.backend.query.metrics.quantile import quantiles
from vivace.backend.query.metrics.timeline import Times
from vivace.traceql.tree import MetricsAggregate

NAME: Final = "__name__"
Labels = tuple[tuple[str, Label], ...]


@dataclass(frozen=True, slots=True)
class Series:
    """One value per bucket of the timeline, not-a-number where there is none."""

    labels: Labels
    values: Floats


def united(
    partials: Iterable[Partial], names: Sequence[str], aggregate: MetricsAggregate, times: Times
) -> list[Series]:
    """The series of an aggregate, from what each unit contributes."""
    sums = _Sums(aggregate, len(times))
    for one in partials:
        sums.add(one, times.first)
    return list(_series(sums, names, aggregate, times))


class _Sums:
    """Figures of all groups over the whole timeline."""

    def __init__(self, aggregate: MetricsAggregate, buckets: int) -> None:
        self._buckets = buckets
        self._width = EXPONENTS if aggregate.function in HISTOGRAMS else 1
        self._extreme = {"min_over_time": math.inf, "max_over_time": -math.inf}.get(aggregate.function, 0.0)
        self.groups: dict[tuple[Label, ...], Mapping[str, Floats]] = {}
        self.durations = False

    def add(self, one: Partial, first: int) -> None:
        """One unit's cells, as far as they lie on the timeline."""
        self.durations = self.durations or one.durations
        bucket = one.bucket - first
        inside = np.flatnonzero((bucket >= 0) & (bucket < self._buckets))
        order = inside[np.argsort(one.group[inside], kind="stable")]
        bounds = np.searchsorted(one.group[order], np.arange(len(one.labels) + 1))
        for number, labels in enumerate(one.labels):
            cells = order[bounds[number] : bounds[number + 1]]
            if len(cells):
                self._add(self._group(labels), one, cells, bucket[cells])

    def _group(self, labels: tuple[Label, ...]) -> Mapping[str, Floats]:
        if labels not in self.groups:
            self.groups[labels] = {
                "count": np.zeros((self._buckets, self._width)),
                "sum": np.zeros(self._buckets),
                "extreme": np.full(self._buckets, self._extreme),
            }
        return self.groups[labels]

    def _add(self, group: Mapping[str, Floats], one: Partial, cells: np.ndarray, bucket: np.ndarray) -> None:
        exponent = one.exponent[cells] if self._width > 1 else np.zeros(len(cells), np.int64)
        group["count"][bucket, exponent] += one.figures["count"][cells]
        if "sum" in one.figures:
            group["sum"][bucket] += one.figures["sum"][cells]
        if "extreme" in one.figures:
            operation = np.minimum if self._extreme > 0 else np.maximum
            group["extreme"][bucket] = operation(group["extreme"][bucket], one.figures["extreme"][cells])


def _series(sums: _Sums, names: Sequence[str], aggregate: MetricsAggregate, times: Times) -> Iterator[Series]:
    scale = SECONDS if sums.durations else 1.0
    for group, figures in sums.groups.items():
        labels: Labels = tuple(zip(names, group, strict=True))
        if aggregate.function == "quantile_over_time":
            for share in aggregate.quantiles:
                values = quantiles(figures["count"], share) * scale
                yield Series((*labels, ("p", ("doubleValue", share))), values)
        elif aggregate.function == "histogram_over_time":
            for exponent in np.flatnonzero(figures["count"].any(axis=0)):
                bound: Label = ("doubleValue", float(2.0**exponent) * scale)
                yield Series((*labels, ("__bucket", bound)), figures["count"][:, exponent])
        else:
            named: Labels = labels or ((NAME, ("stringValue", aggregate.function)),)
            yield Series(named, _values(figures, aggregate.function, times, scale))


def _values(figures: Mapping[str, Floats], function: str, times: Times, scale: float) -> Floats:
    count = figures["count"][:, 0]
    if function == "count_over_time":
        return count
    if function == "rate":
        return count / (times.step_ns * SECONDS)
    there = count > 0
    if function == "avg_over_time":
        values = np.divide(figures["sum"], count, out=np.full(len(count), np.nan), where=there)
    else:
        values = np.where(there, figures["sum" if function == "sum_over_time" else "extreme"], np.nan)
    return np.asarray(values * scale)
