"""Makes batches of traces: grows their spans, times them, lets some fail and describes them, then encodes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from vivace.telemetry.arrays import Numbers
from vivace.telemetry.assemble import assemble
from vivace.telemetry.batch import Batch
from vivace.telemetry.catalogue import catalogue
from vivace.telemetry.details import Details
from vivace.telemetry.faults import Fault, own_faults, risen
from vivace.telemetry.given import Given
from vivace.telemetry.resources import resources
from vivace.telemetry.sampling import trace_states
from vivace.telemetry.settings import TraceSettings
from vivace.telemetry.template import EPOCH_NS
from vivace.telemetry.timing import families, times
from vivace.telemetry.trees import grow

STREAM: Final = 0x7669_7661_6365_0002
"""Second half of the generator's key: IDs draw from another stream of the same seed."""
START_SPREAD_NS: Final = 100_000_000
"""The traces of a request start within this time."""
BATCH_SPANS: Final = 65_536
"""Spans that are made at once: many enough for NumPy, few enough for memory."""
BATCH_BYTES: Final = 1 << 28
SPAN_BYTES: Final = 350


class TraceSource:
    """Makes the traces that settings ask for, batch after batch; the same settings make the same bytes."""

    def __init__(self, settings: TraceSettings) -> None:
        self._settings = settings
        self._catalogue = catalogue(settings.graph)
        self._details = Details.of(self._catalogue, Given(settings.attributes))
        self._resources = resources(settings.graph, settings.attributes.resource.keys(), self._random(0))

    def batches(self, endless: bool = False) -> Iterator[bytes]:
        """All requests, a batch of them at a time, as TracesData; endless: and further ones after them."""
        settings, step = self._settings, self._requests_at_once()
        whole, rest = divmod(settings.traces, settings.traces_per_request)
        requests = whole + (rest > 0)
        for first in range(0, 1 << 30 if endless else requests, step):
            traces = np.full(step if endless else min(step, requests - first), settings.traces_per_request)
            if rest and not endless and first + traces.size == requests:
                traces[-1] = rest
            yield self._requests(first, traces)

    def _requests_at_once(self) -> int:
        settings = self._settings
        spans = min(BATCH_SPANS, BATCH_BYTES // (SPAN_BYTES + settings.attributes.span_bytes))
        return max(1, int(spans / (settings.traces_per_request * settings.sizes.mean)))

    def _requests(self, first: int, traces: Numbers) -> bytes:
        """Requests number `first` and following; how many traces each has."""
        random = self._random(first + 1)
        return assemble(self._batch(first, traces, random), self._details, self._resources, random)

    def _random(self, counter: int) -> np.random.Generator:
        key, start = np.array([self._settings.seed, STREAM], np.uint64), np.array([0, counter, 0, 0], np.uint64)
        return np.random.Generator(np.random.Philox(key=key, counter=start))

    def _batch(self, first: int, traces: Numbers, random: np.random.Generator) -> Batch:
        trees = grow(self._catalogue, self._settings.sizes.draw(int(traces.sum()), random), random)
        levels = families(trees)
        own = own_faults(self._catalogue, trees, random)
        starts = np.cumsum(traces) - traces
        request = np.repeat(np.arange(traces.size), traces)
        offset = random.integers(START_SPREAD_NS, size=request.size)
        offset -= np.minimum.reduceat(offset, starts)[request]
        share = self._settings.sampling
        return Batch(
            self._catalogue,
            trees,
            times(self._catalogue, trees, levels, own == Fault.TIMEOUT, random),
            risen(own, self._catalogue.shape[trees.operation], levels, random, self._catalogue.topology.cascade),
            epoch=(EPOCH_NS + offset)[trees.trace],
            request=(first + request)[trees.trace],
            number=(np.arange(request.size) - starts[request])[trees.trace],
            trace_state=None if share is None else trace_states(share, request.size, random),
        )
