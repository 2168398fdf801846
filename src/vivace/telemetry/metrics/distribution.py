"""What histograms recorded: log-logistic distributions, of which every bucket's count follows without any drawing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vivace.telemetry.arrays import Flags, Numbers
from vivace.telemetry.encode import encode, listed

Doubles = npt.NDArray[np.float64]

SECONDS: Final = np.array([0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10])
"""Bounds of durations, as the semantic conventions advise."""
BYTES: Final = np.array([64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216], np.float64)
STEEPEST: Final = 20.0
MOST_BUCKETS: Final = 80
"""Of an exponential histogram; SDKs allow 160 and halve them when they do not suffice."""
FINEST: Final = 8
"""Greatest scale."""
QUANTILES: Final = np.linspace(0, 1, 17)
"""Of what lies between the least and the greatest value; their mean stands for the mean."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Recorded values; row n of every array is about histogram n."""

    count: Numbers
    median: Doubles
    spread: Doubles
    """Standard deviation of the logarithm, about."""

    def rows(self, rows: Numbers) -> Distribution:
        """Some of them."""
        return Distribution(self.count[rows], self.median[rows], self.spread[rows])

    @property
    def shape(self) -> Doubles:
        """The greater, the less the values differ."""
        return np.asarray(np.minimum(STEEPEST, np.pi / np.sqrt(3) / np.maximum(self.spread, 1e-3)))

    @property
    def edge(self) -> Doubles:
        """Which share of all values is below the least one, were they infinitely many."""
        return 0.5 / self.count

    def quantile(self, share: Doubles) -> Doubles:
        """The value below which such a share lies; broadcasts over leading axes."""
        return self.median * (share / (1 - share)) ** (1 / self.shape)

    def below(self, rows: Numbers, log_bound: Doubles) -> Numbers:
        """How many of histogram `rows` are at most what has this natural logarithm."""
        odds = np.exp(self.shape[rows] * (np.log(self.median)[rows] - log_bound))
        return np.asarray(np.floor(self.count[rows] / (1 + odds) + 0.5).astype(np.int64))

    def columns(self) -> dict[str, pa.Array]:
        """Count, sum, least and greatest value, as all histograms have them."""
        inner = self.edge + QUANTILES[:, None] * (1 - 2 * self.edge)
        values = self.quantile(inner)
        return {
            "count": pa.array(self.count.astype(np.uint64)),
            "sum": pa.array(values.mean(axis=0) * self.count),
            "min": pa.array(values[0]),
            "max": pa.array(values[-1]),
        }


def explicit(recorded: Distribution, in_bytes: Flags) -> dict[str, pa.Array]:
    """Fields of HistogramDataPoint; the bounds are those of sizes or of durations."""
    size = np.where(in_bytes, BYTES.size, SECONDS.size)
    row = np.repeat(np.arange(size.size), size)
    bound_of = np.arange(row.size) - np.repeat(np.cumsum(size) - size, size)
    bounds = np.where(in_bytes[row], BYTES[np.minimum(bound_of, BYTES.size - 1)], SECONDS[bound_of])
    ends = np.insert(recorded.below(row, np.log(bounds)), np.cumsum(size), recorded.count)
    return recorded.columns() | {
        "bucket_counts": listed(size + 1, pa.array(_counts(ends, size + 1).astype(np.uint64))),
        "explicit_bounds": listed(size, pa.array(bounds)),
    }


def exponential(recorded: Distribution) -> dict[str, pa.Array]:
    """Fields of ExponentialHistogramDataPoint: as fine as its buckets suffice for all values."""
    least, most = recorded.quantile(recorded.edge), recorded.quantile(1 - recorded.edge)
    octaves = np.log2(most / least)
    scale = np.clip(np.floor(np.log2((MOST_BUCKETS - 2) / np.maximum(octaves, 1e-9))), -4, FINEST).astype(np.int64)
    first, last = (_bucket(value, scale) for value in (least, most))
    size = last - first + 1
    row = np.repeat(np.arange(size.size), size)
    number = np.arange(row.size) - np.repeat(np.cumsum(size) - size, size)
    log_bounds = (first[row] + number + 1) * (np.log(2) / np.exp2(scale))[row]
    ends = np.where(number == size[row] - 1, recorded.count[row], recorded.below(row, log_bounds))
    counts = pa.array(_counts(ends, size).astype(np.uint64))
    buckets = {"offset": pa.array(first.astype(np.int32)), "bucket_counts": listed(size, counts)}
    return recorded.columns() | {"scale": pa.array(scale.astype(np.int32)), "positive": encode("Buckets", buckets)}


def _bucket(value: Doubles, scale: Numbers) -> Numbers:
    """The bucket that a value is in: above base^number, at most base^(number + 1)."""
    return np.asarray(np.ceil(np.log2(value) * np.exp2(scale)).astype(np.int64) - 1)


def _counts(ends: Numbers, size: Numbers) -> Numbers:
    """How many are up to each bucket's end -> how many are in each; buckets start anew every `size`."""
    counts = np.diff(ends, prepend=0)
    first = np.cumsum(size) - size
    counts[first] = ends[first]
    return counts
