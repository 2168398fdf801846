"""The data points of a batch of time series: their times and values, encoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vivace.telemetry.arrays import Flags, Numbers
from vivace.telemetry.encode import encode
from vivace.telemetry.metrics.catalogue import DISTRIBUTIONS, Definition, Kind
from vivace.telemetry.metrics.distribution import Distribution, explicit, exponential
from vivace.telemetry.metrics.settings import MetricsSettings

Doubles = npt.NDArray[np.float64]

INTERVAL_S: Final = 60.0
"""What points of delta temporality cover when they are not aggregated further."""
MESSAGE: Final = {Kind.HISTOGRAM: "HistogramDataPoint", Kind.EXPONENTIAL: "ExponentialHistogramDataPoint"}
LARGEST: Final = 4e18
"""No value is larger, so that it fits into 64 bits."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What is drawn, by metric."""

    kind: Numbers
    double: Flags
    median: Doubles
    spread: Doubles
    most: Doubles
    chance: Doubles
    """Of a one; NaN where values are not just ones and zeros."""
    rate: Doubles
    bytes: Flags
    """Whether it is measured in bytes."""

    @classmethod
    def of(cls, definitions: list[Definition]) -> Measures:
        """Those of these metrics."""
        measures = [definition.measure for definition in definitions]
        chance = [np.nan if measure.chance is None else measure.chance for measure in measures]
        return cls(
            kind=np.array([definition.kind for definition in definitions]),
            double=np.array([measure.double for measure in measures]),
            median=np.array([measure.median for measure in measures]),
            spread=np.array([measure.spread for measure in measures]),
            most=np.array([measure.most for measure in measures]),
            chance=np.array(chance),
            rate=np.array([measure.rate for measure in measures]),
            bytes=np.array([measure.unit == "By" for measure in measures]),
        )


@dataclass(frozen=True, slots=True)
class Moments:
    """When points were measured, in template time."""

    start: Numbers
    time: Numbers

    def rows(self, rows: Numbers) -> Moments:
        """Some of them."""
        return Moments(self.start[rows], self.time[rows])

    @property
    def seconds(self) -> Doubles:
        """How long each point's interval is."""
        return (self.time - self.start) / 1e9


@dataclass(frozen=True, slots=True)
class Measured:
    """A batch of time series when their points are taken, row n of every column being about time series n."""

    metric: Numbers
    moments: Moments
    attributes: pa.ListArray
    recorded: Distribution
    """Of those that are histograms."""
    exemplars: pa.ListArray
    """Of those that are histograms."""


@dataclass(frozen=True, slots=True)
class Points:
    """The points of a batch, row n being about time series n of it."""

    kind: Numbers
    """As it is sent: an aggregated gauge is a histogram."""
    encoded: pa.Array
    """NumberDataPoint, HistogramDataPoint or ExponentialHistogramDataPoint."""
    delta: bool
    """Whether they tell what changed in the interval before them."""


class PointSource:
    """Draws and encodes the points of batch after batch."""

    def __init__(self, definitions: list[Definition], settings: MetricsSettings) -> None:
        self._measures = Measures.of(definitions)
        self._settings = settings

    def moments(self, time: Numbers, uptime: Numbers) -> Moments:
        """The moments of points: cumulative ones start with their resource, others with their interval."""
        aggregation = self._settings.aggregation
        interval = INTERVAL_S if aggregation is None else aggregation.interval_s
        return Moments(time - (int(interval * 1e9) if self._settings.delta else uptime), time)

    def distributed(self, metric: Numbers) -> Flags:
        """Which points are histograms, other than of aggregated gauges."""
        return np.isin(self._measures.kind[metric], DISTRIBUTIONS)

    def recorded(self, metric: Numbers, moments: Moments, random: np.random.Generator) -> Distribution:
        """What these histograms recorded."""
        measures, count = self._measures, metric.size
        rate = measures.rate[metric] * random.lognormal(0, 1.2, count)
        recorded = np.maximum(1, rate * moments.seconds).astype(np.int64)
        median = measures.median[metric] * random.lognormal(0, 0.5, count)
        return Distribution(recorded, median, measures.spread[metric] * random.uniform(0.7, 1.3, count))

    def points(self, measured: Measured, random: np.random.Generator) -> Points:
        """All points of a batch."""
        metric, moments = measured.metric, measured.moments
        kind = self._measures.kind[metric]
        aggregated = (kind == Kind.GAUGE) & (self._settings.aggregation is not None)
        starts = np.where((kind == Kind.GAUGE) & ~aggregated, 0, moments.start)
        every = _Every(
            {
                "start_time_unix_nano": pa.array(starts.astype(np.uint64)),
                "time_unix_nano": pa.array(moments.time.astype(np.uint64)),
                "attributes": measured.attributes,
            }
        )
        distributed = np.flatnonzero(self.distributed(metric))
        for form in DISTRIBUTIONS:
            rows = np.flatnonzero(kind[distributed] == form)
            columns = self._distribution(form, metric[distributed[rows]], measured.recorded.rows(rows))
            columns["exemplars"] = measured.exemplars.take(pa.array(rows))
            every.add(MESSAGE[form], distributed[rows], columns)
        rows = np.flatnonzero(aggregated)
        every.add("HistogramDataPoint", rows, self._aggregated(metric[rows], random))
        rows = np.flatnonzero(~aggregated & ~self.distributed(metric))
        every.add("NumberDataPoint", rows, self._numbers(metric[rows], moments.seconds[rows], random))
        return Points(np.where(aggregated, Kind.HISTOGRAM, kind), every.joined(), self._settings.delta)

    def _distribution(self, form: Kind, metric: Numbers, recorded: Distribution) -> dict[str, pa.Array]:
        if form is Kind.EXPONENTIAL:
            return exponential(recorded)
        return explicit(recorded, self._measures.bytes[metric])

    def _numbers(self, metric: Numbers, seconds: Doubles, random: np.random.Generator) -> dict[str, pa.Array]:
        """Values of gauges and sums."""
        measures = self._measures
        scale = np.where(
            measures.kind[metric] == Kind.COUNTER, measures.rate[metric] * seconds, measures.median[metric]
        )
        values = self._spread(metric, scale, random)
        double = measures.double[metric]
        whole = np.rint(np.where(double, 0, values)).astype(np.int64)
        return {"as_double": pa.array(values, mask=~double), "as_int": pa.array(whole, mask=double)}

    def _spread(self, metric: Numbers, scale: Doubles, random: np.random.Generator) -> Doubles:
        measures = self._measures
        values = scale * np.exp(random.standard_normal(metric.size) * measures.spread[metric])
        values = np.minimum(np.minimum(values, measures.most[metric]), LARGEST)
        chance = measures.chance[metric]
        return np.where(np.isnan(chance), values, random.random(metric.size) < np.nan_to_num(chance))

    def _aggregated(self, metric: Numbers, random: np.random.Generator) -> dict[str, pa.Array]:
        """What gauges were in an interval: how often measured, the least, the most and the sum."""
        aggregation = self._settings.aggregation
        samples = 1 if aggregation is None else aggregation.samples
        values = self._spread(metric, self._measures.median[metric], random)
        wander = random.uniform(0.9, 1.1, (samples, metric.size))
        every = np.minimum(values * wander, self._measures.most[metric])
        whole = ~self._measures.double[metric]
        every[:, whole] = np.rint(every[:, whole])
        return {
            "count": pa.array(np.full(metric.size, samples, np.uint64)),
            "sum": pa.array(every.sum(axis=0)),
            "min": pa.array(every.min(axis=0)),
            "max": pa.array(every.max(axis=0)),
        }


class _Every:
    """Points of several forms, put back into the order of their time series."""

    def __init__(self, common: dict[str, pa.Array]) -> None:
        """`common` are the fields that all of them have."""
        self._common = common
        self._place = np.zeros(len(common["attributes"]), np.int64)
        self._parts: list[pa.Array] = [pa.array([], pa.binary())]
        self._done = 0

    def add(self, message: str, rows: Numbers, columns: dict[str, pa.Array]) -> None:
        """The points of some of the series."""
        common = {name: column.take(pa.array(rows)) for name, column in self._common.items()}
        self._parts.append(encode(message, common | columns))
        self._place[rows] = self._done + np.arange(rows.size)
        self._done += rows.size

    def joined(self) -> pa.Array:
        return pa.concat_arrays(self._parts).take(pa.array(self._place))
