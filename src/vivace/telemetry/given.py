"""Puts the attributes that the user asked for on the spans and resources of a batch."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vivace.telemetry.arrays import Numbers
from vivace.telemetry.attributes import AttributeTable
from vivace.telemetry.batch import Batch
from vivace.telemetry.draws import Draws
from vivace.telemetry.encode import encode, listed
from vivace.telemetry.generators import Attributes


@dataclass(frozen=True, slots=True)
class Given:
    """What was asked for, over all batches."""

    attributes: Attributes
    _counters: dict[str, int] = field(default_factory=dict)

    def draws(self, requests: int, random: np.random.Generator) -> Draws:
        """For one batch of so many requests; batches are drawn in order."""
        return Draws(random, requests, self._counters)

    def tell(self, batch: Batch, table: AttributeTable, draws: Draws) -> None:
        """Adds to the spans."""
        every, request = np.arange(len(batch)), batch.request - batch.request[0]
        for key, generator in self.attributes.span.items():
            rows = draws.some(every, generator.share)
            if generator.per == "span":
                table.add_encoded(rows, draws.attributes("span", key, generator, request[rows]))
                continue
            first = np.flatnonzero(np.diff(batch.trees.trace[rows], prepend=-1))
            which = np.cumsum(np.diff(batch.trees.trace[rows], prepend=-1) > 0) - 1
            table.add_encoded(rows, draws.attributes("span", key, generator, request[rows[first]]), which)

    def extend(self, resources: pa.Array, request: Numbers, draws: Draws) -> pa.Array:
        """Encoded resources with what is added to them; each is sent in a request, whose numbers ascend."""
        if not self.attributes.resource:
            return resources
        every, encoded, owner = np.arange(request.size), [], []
        for key, generator in self.attributes.resource.items():
            rows = draws.some(every, generator.share)
            encoded.append(draws.attributes("resource", key, generator, request[rows]))
            owner.append(rows)
        rows = np.concatenate(owner)
        order = pa.array(np.argsort(rows, kind="stable"))
        counts = np.bincount(rows, minlength=request.size)
        added = encode("Resource", {"attributes": listed(counts, pa.concat_arrays(encoded).take(order))})
        return pc.binary_join_element_wise(resources, added, pa.scalar(b"", pa.binary()))
