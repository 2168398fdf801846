"""The spans of some requests while they are made: structure, times and fates, not yet words."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vivace.telemetry.faults import Faults
from vivace.telemetry.operations import Catalogue
from vivace.telemetry.timing import Times
from vivace.telemetry.trees import Numbers, Trees


@dataclass(frozen=True, slots=True)
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
    shape: Numbers = field(init=False)
    service: Numbers = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", self.catalogue.shape[self.trees.operation])
        object.__setattr__(self, "service", self.catalogue.service[self.trees.operation])

    def __len__(self) -> int:
        return len(self.trees)

    def start(self) -> Numbers:
        """Template time of each start."""
        return np.asarray(self.epoch + self.times.start)

    def end(self) -> Numbers:
        """Template time of each end."""
        return np.asarray(self.epoch + self.times.start + self.times.duration)
