"""Makes batches of traces: grows their spans, times them, lets some fail and describes them, then encodes them."""

from __future__ import annotations

from typing import Final

import numpy as np

from vivace.telemetry.arrays import Numbers
from vivace.telemetry.assemble import assemble
from vivace.telemetry.batch import Batch
from vivace.telemetry.catalogue import catalogue
from vivace.telemetry.details import Details
from vivace.telemetry.faults import Fault, own_faults, risen
from vivace.telemetry.resources import resources
from vivace.telemetry.template import EPOCH_NS
from vivace.telemetry.timing import families, times
from vivace.telemetry.topology import Topology
from vivace.telemetry.trees import grow

STREAM: Final = 0x7669_7661_6365_0002
"""Second half of the generator's key: IDs draw from another stream of the same seed."""
START_SPREAD_NS: Final = 100_000_000
"""The traces of a request start within this time."""


class TraceSource:
    """Makes the traces of a topology; the same seed makes the same bytes."""

    def __init__(self, topology: Topology, seed: int) -> None:
        self._seed = seed
        self._catalogue = catalogue(topology)
        self._details = Details.of(self._catalogue)
        self._resources = resources(topology, self._random(0))

    def requests(self, first: int, traces: Numbers, spans: tuple[int, int]) -> bytes:
        """Requests number `first` and following, as TracesData: how many traces each has, and the spans of a trace."""
        random = self._random(first + 1)
        batch = self._batch(first, traces, _sizes(int(traces.sum()), spans, random), random)
        return assemble(batch, self._details, self._resources, random)

    def _random(self, counter: int) -> np.random.Generator:
        key, start = np.array([self._seed, STREAM], np.uint64), np.array([0, counter, 0, 0], np.uint64)
        return np.random.Generator(np.random.Philox(key=key, counter=start))

    def _batch(self, first: int, traces: Numbers, sizes: Numbers, random: np.random.Generator) -> Batch:
        trees = grow(self._catalogue, sizes, random)
        levels = families(trees)
        own = own_faults(self._catalogue, trees, random)
        starts = np.cumsum(traces) - traces
        request = np.repeat(np.arange(traces.size), traces)
        offset = random.integers(START_SPREAD_NS, size=request.size)
        offset -= np.minimum.reduceat(offset, starts)[request]
        return Batch(
            self._catalogue,
            trees,
            times(self._catalogue, trees, levels, own == Fault.TIMEOUT, random),
            risen(own, self._catalogue.shape[trees.operation], levels, random, self._catalogue.topology.cascade),
            epoch=(EPOCH_NS + offset)[trees.trace],
            request=(first + request)[trees.trace],
            number=(np.arange(request.size) - starts[request])[trees.trace],
        )


def _sizes(traces: int, spans: tuple[int, int], random: np.random.Generator) -> Numbers:
    """Spans per trace: normal around the middle, never outside the bounds."""
    fewest, most = spans
    drawn = random.normal((fewest + most) / 2, (most - fewest) / 4, traces)
    return np.clip(np.rint(drawn), fewest, most).astype(np.int64)
