"""Which traces to generate."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from vivace.profile.model import TraceProfile
from vivace.telemetry.arrays import Numbers
from vivace.telemetry.generators import Attributes
from vivace.telemetry.topology import Topology, shop

SPANS: Final[dict[TraceProfile, tuple[int, int]]] = {
    "small": (8, 15),
    "medium": (25, 40),
    "large": (50, 80),
    "xlarge": (100, 150),
}
"""Fewest and most spans of a trace."""
FARTHEST: Final = 6
"""No trace is further from the mean than so many standard deviations."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Spans per trace: normal, but never outside the bounds."""

    mean: float
    deviation: float
    fewest: int
    most: int

    @classmethod
    def of(cls, profile: TraceProfile) -> Sizes:
        """As the profile has them."""
        fewest, most = SPANS[profile]
        return cls((fewest + most) / 2, (most - fewest) / 4, fewest, most)

    @classmethod
    def normal(cls, mean: float, deviation: float) -> Sizes:
        """One span at least."""
        return cls(mean, deviation, 1, ceil(mean + FARTHEST * deviation))

    def draw(self, traces: int, random: np.random.Generator) -> Numbers:
        """The size of each trace."""
        drawn = random.normal(self.mean, self.deviation, traces)
        return np.clip(np.rint(drawn), self.fewest, self.most).astype(np.int64)


class TraceSettings(BaseModel):
    """What to generate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: TraceProfile = "medium"
    traces: int = Field(default=2000, ge=1, le=1_000_000_000)
    traces_per_request: int = Field(default=20, ge=1, le=10_000)
    seed: int = Field(default=1, ge=0, lt=1 << 64)
    normal: Sizes | None = None
    """Spans per trace; None: as the profile has them."""
    topology: Topology | None = None
    """None: the shop."""
    attributes: Attributes = Attributes()
    sampling: float | None = Field(default=None, gt=0, le=1)
    """Share of traces that a head sampler kept; None: there is none."""

    @property
    def graph(self) -> Topology:
        """What the traces run through."""
        return self.topology or shop()

    @property
    def sizes(self) -> Sizes:
        """Spans per trace."""
        return self.normal or Sizes.of(self.profile)
