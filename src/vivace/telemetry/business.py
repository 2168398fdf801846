"""What services tell about the business they do: attributes of their own, beside the conventions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from vivace.telemetry.arrays import Numbers
from vivace.telemetry.attributes import AttributeTable, Vocabulary
from vivace.telemetry.batch import Batch
from vivace.telemetry.operations import CAN_CALL
from vivace.telemetry.texts import decimal, joined, uuids
from vivace.telemetry.topology import Values

TOLD: Final = 0.45
"""Chance that a span tells one of its service's attributes."""
COUNTS: Final = 200
"""Counts are below this."""
CODES: Final = 40_000
"""How many different short IDs there are."""


def tell_business(batch: Batch, table: AttributeTable, vocabulary: Vocabulary, random: np.random.Generator) -> None:
    """Adds to spans in which a service's own code runs what its topology says it tells."""
    traces = int(batch.trees.trace[-1]) + 1
    telling = _Telling(table, vocabulary, random, traces)
    rows = np.flatnonzero(CAN_CALL[batch.shape])
    rows = rows[np.argsort(batch.service[rows], kind="stable")]
    services = batch.catalogue.topology.services.values()
    bounds = np.searchsorted(batch.service[rows], np.arange(len(services) + 1))
    for number, service in enumerate(services):
        own = rows[bounds[number] : bounds[number + 1]]
        for key, values in service.attributes.items():
            some = own[random.random(own.size) < TOLD]
            telling.tell(key, values, some, batch.trees.trace[some])


@dataclass(frozen=True, slots=True)
class _Telling:
    table: AttributeTable
    vocabulary: Vocabulary
    random: np.random.Generator
    traces: int

    def tell(self, key: str, values: Values, rows: Numbers, trace: Numbers) -> None:
        """Draws an attribute for the rows; IDs and words are the same in all of a trace."""
        match values:
            case "amount":
                self.table.add_values(rows, key, pa.array(np.round(self.random.lognormal(3.2, 1.1, rows.size), 2)))
            case "share":
                self.table.add_values(rows, key, pa.array(np.round(self.random.beta(2, 5, rows.size), 4)))
            case "count":
                counts = np.minimum(self.random.geometric(0.12, rows.size), COUNTS) - 1
                self.table.add(rows, self.vocabulary.numbers(key, list(range(COUNTS)))[counts])
            case "flag":
                drawn = self.random.integers(2, size=rows.size)
                self.table.add(rows, self.vocabulary.numbers(key, [False, True])[drawn])
            case "id":
                self.table.add_values(rows, key, uuids(self.random, self.traces), which=trace)
            case "ids":
                self.table.add_values(rows, key, self._codes(rows.size))
            case words:
                drawn = self.random.integers(len(words), size=self.traces)[trace]
                self.table.add(rows, self.vocabulary.numbers(key, list(words))[drawn])

    def _codes(self, count: int) -> pa.ListArray:
        """Lists of one to five short IDs."""
        lengths = self.random.integers(1, 6, count)
        total = int(lengths.sum())
        codes = joined(pa.repeat("P-", total), decimal(self.random.integers(CODES, size=total)))
        return pa.ListArray.from_arrays(pa.array(np.append(0, np.cumsum(lengths)).astype(np.int32)), codes)
