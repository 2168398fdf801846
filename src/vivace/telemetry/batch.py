"""The spans of some requests while they are made: structure, times and fates, not yet words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from vivace.telemetry.arrays import Numbers
from vivace.telemetry.catalogue import Catalogue
from vivace.telemetry.faults import Faults
from vivace.telemetry.timing import Times
from vivace.telemetry.trees import Trees


@dataclass(frozen=True)
class Batch:
    """Arrays are by span, trace after trace."""

    catalogue: Catalogue
    trees: Trees
    times: Times
    faults: Faults
    request: Numbers
    """Number in the template."""
    number: Numbers
    """Which trace of its request."""
    epoch: Numbers
    """Template time at which the span's trace starts."""
    trace_state: pa.Array | None
    """By trace; None: there is none."""

    def __len__(self) -> int:
        return len(self.trees)

    @cached_property
    def shape(self) -> Numbers:
        """What each span is about."""
        return self.catalogue.shape[self.trees.operation]

    @cached_property
    def service(self) -> Numbers:
        """Number of each span's service."""
        return self.catalogue.service[self.trees.operation]

    @cached_property
    def start(self) -> Numbers:
        """Template time."""
        return np.asarray(self.epoch + self.times.start)

    @cached_property
    def end(self) -> Numbers:
        """Template time."""
        return np.asarray(self.start + self.times.duration)
