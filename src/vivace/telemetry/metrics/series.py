"""Which time series there are: for each metric, distinct pairs of a resource and a set of attributes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Final

import numpy as np
import pyarrow as pa

from vivace.telemetry.arrays import Numbers
from vivace.telemetry.attributes import key_value
from vivace.telemetry.encode import listed
from vivace.telemetry.metrics.catalogue import Definition, catalogue
from vivace.telemetry.metrics.inventory import Inventory
from vivace.telemetry.metrics.settings import SeriesCount

MOST_ATTRIBUTES: Final = 4
"""Of a data point."""


@dataclass(frozen=True, slots=True)
class Dimensions:
    """The attributes of all metrics' points, every one encoded once; row n of every array is about metric n."""

    vocabulary: pa.Array
    first: Numbers
    """(metrics, MOST_ATTRIBUTES): number of an attribute's first value, the others follow it; -1 for none."""
    values: Numbers
    """(metrics, MOST_ATTRIBUTES): how many values an attribute has."""
    stride: Numbers
    """(metrics, MOST_ATTRIBUTES): every so many sets, an attribute has its next value."""

    @classmethod
    def of(cls, definitions: list[Definition]) -> Dimensions:
        """Those of these metrics."""
        encoded: list[bytes] = []
        known: dict[str, int] = {}
        shape = (len(definitions), MOST_ATTRIBUTES)
        first, values, stride = np.full(shape, -1), np.ones(shape, np.int64), np.ones(shape, np.int64)
        for row, definition in enumerate(definitions):
            attributes = [catalogue().attribute(name) for name in definition.measure.by]
            for place, (name, (key, options)) in enumerate(zip(definition.measure.by, attributes, strict=True)):
                if name not in known:
                    known[name] = len(encoded)
                    encoded += [key_value(key, value).SerializeToString() for value in options]
                first[row, place] = known[name]
                values[row, place] = len(options)
                stride[row, place] = prod(len(later) for _, later in attributes[place + 1 :])
        return cls(pa.array(encoded, pa.binary()), first, values, stride)

    @property
    def sets(self) -> Numbers:
        """By metric: how many sets of attributes there are."""
        return np.asarray(self.values.prod(axis=1))

    def lists(self, metric: Numbers, number: Numbers) -> pa.ListArray:
        """The attributes of each point: set `number` of its metric."""
        first = self.first[metric]
        digits = number[:, None] // self.stride[metric] % self.values[metric]
        present = first >= 0
        return listed(np.count_nonzero(present, axis=1), self.vocabulary.take(pa.array((first + digits)[present])))


@dataclass(frozen=True, slots=True)
class Series:
    """All time series, those of one resource together, in it those of one scope, in it those of one metric."""

    metric: Numbers
    resource: Numbers
    """Number among the resources."""
    attributes: Numbers
    """Which set of its metric's attributes."""
    resources: pa.Array
    """Encoded."""

    def __len__(self) -> int:
        return self.metric.size


def series_of(definitions: list[Definition], dimensions: Dimensions, counts: Numbers, inventory: Inventory) -> Series:
    """The time series of metrics, so many of each: all sets of attributes at a resource before those of the next."""
    sets = dimensions.sets
    needed = -(-counts // sets)
    pools, resources = _pools(definitions, needed, inventory)
    metric = np.repeat(np.arange(counts.size), counts)
    number = np.arange(metric.size) - np.repeat(np.cumsum(counts) - counts, counts)
    resource = pools.first[metric] + number // sets[metric] * pools.step[metric]
    scopes = {name: place for place, name in enumerate(dict.fromkeys(definition.scope for definition in definitions))}
    scope = np.array([scopes[definition.scope] for definition in definitions])
    order = np.lexsort((number, metric, scope[metric], resource))
    return Series(metric[order], resource[order], (number % sets[metric])[order], resources)


def series_counts(count: SeriesCount, metrics: int, random: np.random.Generator) -> Numbers:
    """How many time series each metric has."""
    if count.min == count.max:
        return np.full(metrics, count.min)
    drawn = random.triangular(count.min - 0.5, count.usual, count.max + 0.5, metrics)
    return np.clip(np.rint(drawn), count.min, count.max).astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Pools:
    """Which resources a metric has: row n of both arrays is about metric n."""

    first: Numbers
    step: Numbers
    """From one to the next."""


def _pools(definitions: list[Definition], needed: Numbers, inventory: Inventory) -> tuple[_Pools, pa.Array]:
    """Where each metric's resources are, and all resources: as many of each kind as any metric needs."""
    pools = [inventory.pool(definition.resource) for definition in definitions]
    sizes: dict[str, int] = {}
    for pool, count in zip(pools, needed.tolist(), strict=True):
        sizes[pool.kind] = max(pool.first + (count - 1) * pool.step + 1, sizes.get(pool.kind, 0))
    start = dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))
    encoded = pa.concat_arrays([inventory.encoded(kind, size) for kind, size in sizes.items()])
    first = np.array([start[pool.kind] + pool.first for pool in pools])
    return _Pools(first, np.array([pool.step for pool in pools])), encoded
