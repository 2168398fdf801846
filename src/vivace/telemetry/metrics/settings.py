"""Which metrics to generate; every mistake in it is reported at once."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Model(BaseModel):
    """Immutable, and without fields nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SeriesCount(Model):
    """How many time series a metric has: most often `default`, never outside min and max."""

    min: int = Field(default=100, ge=1, le=100_000)
    max: int = Field(default=500, ge=1, le=100_000)
    default: int | None = Field(default=None, ge=1)
    """None: in the middle."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}; give a min of at most max")
        if self.default is not None and not self.min <= self.default <= self.max:
            raise ValueError(f"default {self.default} is not in {self.min} to {self.max}; give one that is, or none")
        return self

    @property
    def usual(self) -> int:
        return (self.min + self.max) // 2 if self.default is None else self.default


class Aggregation(Model):
    """Points that sum up an interval: of sums the change, of others how many values there were, the least and the most.

    A gauge becomes a histogram without buckets, as only that has room for them.
    """

    interval_s: float = Field(default=60, gt=0, le=86_400)
    sample_s: float = Field(default=10, gt=0)
    """Time between the values of a gauge."""

    @model_validator(mode="after")
    def _has_samples(self) -> Self:
        if self.sample_s * 2 > self.interval_s:
            raise ValueError(
                f"an interval of {self.interval_s} s has no two samples every {self.sample_s} s; sample more often"
            )
        return self

    @property
    def samples(self) -> int:
        """Values of a gauge in an interval."""
        return int(self.interval_s / self.sample_s)


class MetricsSettings(Model):
    """What to generate."""

    metric_count: int = Field(default=2000, ge=1, le=100_000)
    timeseries_per_metric: SeriesCount = SeriesCount()
    temporality: Literal["cumulative", "delta"] = "cumulative"
    """Of sums and histograms, as long as points are not aggregated."""
    aggregation: Aggregation | None = None
    """None: points are what was just measured."""
    exemplars: float = Field(default=10, ge=0, le=100)
    """Percentage of histograms' points that refer to spans."""
    seed: int = Field(default=1, ge=0, lt=1 << 64)

    @property
    def delta(self) -> bool:
        """Whether points tell what changed in the interval before them."""
        return self.aggregation is not None or self.temporality == "delta"
