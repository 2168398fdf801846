"""What all units contribute to a metrics query as one table of cells, and the series that it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from vivace.backend.query.grouping import compact
from vivace.backend.query.metrics.bounds import MOST_GROUPS, check_groups
from vivace.backend.query.metrics.numbers import EXPONENTS, HISTOGRAMS, SECONDS, Floats
from vivace.backend.query.metrics.partial import Labels as Group
from vivace.backend.query.metrics.partial import Partial
from vivace.backend.query.metrics.quantile import quantiles
from vivace.backend.query.metrics.series import NAME, Labels, Series
from vivace.backend.query.metrics.timeline import Times
from vivace.backend.query.value import Rows
from vivace.backend.store.distinct import distinct_numbers
from vivace.traceql.tree import MetricsAggregate

_AT_ONCE: Final = 1 << 14
"""Histograms whose quantiles are computed together."""


@dataclass(frozen=True, slots=True)
class United:
    """Cells in the order of `group`, `bucket` and `exponent`; buckets count from the first of the timeline.

    `entry` tells for each cell of each partial, one partial after the other, which cell it went into, -1 for none.
    """

    groups: Sequence[Group]
    group: Rows
    bucket: Rows
    exponent: Rows
    figures: Mapping[str, Floats]
    entry: Rows
    durations: bool

    def bounds(self) -> Rows:
        """Where the cells of each group begin, and where those of the last end."""
        return np.searchsorted(self.group, np.arange(len(self.groups) + 1))

    def largest(self, groups: int) -> United:
        """Only so many groups: those with most spans, and of such with as many the first."""
        spans = np.bincount(self.group, self.figures["count"], len(self.groups))
        chosen = np.sort(np.argsort(-spans, kind="stable")[:groups])
        number = np.full(len(self.groups), -1, np.int64)
        number[chosen] = np.arange(len(chosen))
        kept = np.flatnonzero(number[self.group] >= 0)
        cell = np.full(len(self.group) + 1, -1, np.int64)
        cell[kept] = np.arange(len(kept))
        return United(
            [self.groups[one] for one in chosen.tolist()],
            number[self.group[kept]],
            self.bucket[kept],
            self.exponent[kept],
            {name: values[kept] for name, values in self.figures.items()},
            cell[self.entry],
            self.durations,
        )


def united(
    partials: Sequence[Partial],
    aggregate: MetricsAggregate,
    times: Times,
    check: Callable[[], None],
    most: int = MOST_GROUPS,
) -> United:
    """The partials as far as they lie on the timeline. Groups are in the order of their labels."""
    width = EXPONENTS if aggregate.function in HISTOGRAMS else 1
    groups, numbered = _groups(partials, most)
    check()
    keys = [_keys(one, numbers, times, width) for one, numbers in zip(partials, numbered, strict=True)]
    key = np.concatenate([np.zeros(0, np.int64), *keys])
    inside = key >= 0
    number, first = compact(key[inside])
    entry = np.full(len(key), -1, np.int64)
    entry[inside] = number
    check()
    group, rest = np.divmod(key[inside][first], len(times) * width)
    bucket, exponent = np.divmod(rest, width)
    figures = {}
    for name in partials[0].figures if partials else ():
        values = np.concatenate([one.figures[name] for one in partials])[inside]
        figures[name] = _reduced(aggregate.function if name == "extreme" else name, values, number, len(first))
    present, again = np.unique(group, return_inverse=True)
    durations = any(one.durations for one in partials)
    return United([groups[one] for one in present], again, bucket, exponent, figures, entry, durations)


def _groups(partials: Sequence[Partial], most: int) -> tuple[list[Group], list[Rows]]:
    """All groups in order, and for each partial the numbers of its own among them."""
    distinct: set[Group] = set()
    for one in partials:
        distinct.update(one.labels)
        check_groups(len(distinct), most)
    every = sorted(distinct, key=str)
    number = {group: place for place, group in enumerate(every)}
    return every, [np.array([number[group] for group in one.labels], np.int64) for one in partials]


def _keys(one: Partial, numbers: Rows, times: Times, width: int) -> Rows:
    bucket = one.bucket - times.first
    inside = (bucket >= 0) & (bucket < len(times))
    return np.where(inside, (numbers[one.group] * len(times) + bucket) * width + one.exponent, -1)


def _reduced(function: str, values: Floats, number: Rows, cells: int) -> Floats:
    if function not in ("min_over_time", "max_over_time"):
        return np.bincount(number, values, cells).astype(np.float64, copy=False)
    least = function == "min_over_time"
    found = np.full(cells, np.inf if least else -np.inf)
    (np.minimum if least else np.maximum).at(found, number, values)
    return found


def series(table: United, names: Sequence[str], aggregate: MetricsAggregate, times: Times) -> Iterator[Series]:
    """The series of all groups, one group after the other."""
    if aggregate.function == "quantile_over_time":
        yield from _quantiles(table, names, aggregate.quantiles, times)
    elif aggregate.function == "histogram_over_time":
        yield from _histograms(table, names, times)
    else:
        scale = SECONDS if table.durations else 1.0
        figures, absent = _values(table.figures, aggregate.function, times, scale)
        for labels, mine in _each(table, names):
            values = np.full(len(times), absent)
            values[table.bucket[mine]] = figures[mine]
            named: Labels = labels or ((NAME, ("stringValue", aggregate.function)),)
            yield Series(named, values, _placed(table.bucket[mine], np.arange(mine.start, mine.stop), times))


def _each(table: United, names: Sequence[str]) -> Iterator[tuple[Labels, slice]]:
    bounds = table.bounds().tolist()
    for number, group in enumerate(table.groups):
        yield tuple(zip(names, group, strict=True)), slice(bounds[number], bounds[number + 1])


def _placed(buckets: Rows, cells: Rows, times: Times) -> Rows:
    placed = np.full(len(times), -1, np.int64)
    placed[buckets] = cells
    return placed


def _values(figures: Mapping[str, Floats], function: str, times: Times, scale: float) -> tuple[Floats, float]:
    """The value of every cell, and that of buckets without one."""
    count = figures.get("count", np.zeros(0))
    if function == "count_over_time":
        return count, 0.0
    if function == "rate":
        return count / (times.step_ns * SECONDS), 0.0
    if function == "avg_over_time":
        return figures.get("sum", count) / count * scale, np.nan
    return figures.get("sum" if function == "sum_over_time" else "extreme", count) * scale, np.nan


def _histograms(table: United, names: Sequence[str], times: Times) -> Iterator[Series]:
    scale = SECONDS if table.durations else 1.0
    for labels, mine in _each(table, names):
        for exponent in distinct_numbers(table.exponent[mine]):
            cells = mine.start + np.flatnonzero(table.exponent[mine] == exponent)
            values = np.zeros(len(times))
            values[table.bucket[cells]] = table.figures["count"][cells]
            bound = ("doubleValue", float(2.0**exponent) * scale)
            yield Series((*labels, ("__bucket", bound)), values, _placed(table.bucket[cells], cells, times))


def _quantiles(table: United, names: Sequence[str], shares: Sequence[float], times: Times) -> Iterator[Series]:
    """An exemplar of a quantile is a span out of the bucket of the histogram that the quantile lies in."""
    scale = SECONDS if table.durations else 1.0
    place = table.group * len(times) + table.bucket
    starts = np.flatnonzero(np.append(True, place[1:] != place[:-1])[: len(place)])
    found, cells = _of_histograms(table, starts, shares)
    bounds = np.searchsorted(table.group[starts], np.arange(len(table.groups) + 1)).tolist()
    for number, (labels, _) in enumerate(_each(table, names)):
        mine = slice(bounds[number], bounds[number + 1])
        buckets = table.bucket[starts[mine]]
        for order, share in enumerate(shares):
            values = np.zeros(len(times))
            values[buckets] = found[order, mine] * scale
            yield Series((*labels, ("p", ("doubleValue", share))), values, _placed(buckets, cells[order, mine], times))


def _of_histograms(table: United, starts: Rows, shares: Sequence[float]) -> tuple[Floats, Rows]:
    """By share the quantiles of histograms that begin at these cells, and the cells that they lie in."""
    stops = np.append(starts[1:], len(table.group))[: len(starts)]
    found, cells = np.zeros((len(shares), len(starts))), np.zeros((len(shares), len(starts)), np.int64)
    for first in range(0, len(starts), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        lengths = (stops - starts)[some]
        row = np.repeat(np.arange(len(lengths)), lengths)
        mine = slice(int(starts[first]), int(starts[first]) + len(row))
        exponent = table.exponent[mine]
        counts = np.zeros((len(lengths), int(exponent.max()) + 1))
        counts[row, exponent] = table.figures["count"][mine]
        cell = np.zeros(counts.shape, np.int64)
        cell[row, exponent] = np.arange(mine.start, mine.stop)
        for order, share in enumerate(shares):
            found[order, some], at = quantiles(counts, share)
            cells[order, some] = cell[np.arange(len(lengths)), at]
    return found, cells
