"""When spans start and end: times of their own bottom-up, so that children lie inside their parents."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from vivace.telemetry.arrays import Flags, Numbers
from vivace.telemetry.catalogue import Catalogue
from vivace.telemetry.operations import Shape
from vivace.telemetry.trees import Trees

SPREAD: Final = 0.55
"""Sigma of the log-normal time that a span takes for itself."""
TRACE_SPREAD: Final = 0.3
"""Sigma of the log-normal factor that all spans of a trace share."""
TIMEOUT_NS: Final = 1_000_000_000
OUTLIERS: Final = 0.004
OUTLIER_FACTOR: Final = 25.0
CONCURRENT: Final = 0.3
"""Chance that a child starts together with the one before it, rather than after it."""
LATE_NS: Final = 25e3
"""How much later it starts then, on average."""
QUEUE_NS: Final = 12e6
"""Mean time that a message waits for its consumer."""


@dataclass(frozen=True, slots=True)
class Times:
    """Nanoseconds, by span; starts count from the start of the span's trace."""

    start: Numbers
    duration: Numbers


@dataclass(frozen=True, slots=True)
class Families:
    """The spans of one depth, siblings side by side."""

    children: Numbers
    first: Numbers
    """Where in `children` each family starts."""
    parents: Numbers
    """Of each family."""


def families(trees: Trees) -> list[Families]:
    """By depth, from the roots' children on."""
    order = np.lexsort((np.arange(len(trees)), trees.parent, trees.depth))
    bounds = np.searchsorted(trees.depth[order], np.arange(1, trees.depth.max() + 2))
    return [_families(trees, order[low:high]) for low, high in pairwise(bounds)]


def _families(trees: Trees, children: Numbers) -> Families:
    first = _starts(trees.parent[children])
    return Families(children, first, trees.parent[children[first]])


def _starts(values: Numbers) -> Numbers:
    """Where runs of equal values start."""
    return np.flatnonzero(np.diff(values, prepend=-2))


def times(
    catalogue: Catalogue, trees: Trees, levels: list[Families], stalled: Flags, random: np.random.Generator
) -> Times:
    """Start and duration of every span; a child lies inside its parent, but for what a message's consumer does.

    `stalled` spans wait until their time is out.
    """
    own = own_times(catalogue, trees, random)
    own[stalled] += TIMEOUT_NS
    shape = catalogue.shape[trees.operation]
    layout = Layout(own, own.copy(), np.zeros(len(trees), np.int64), shape, trees.together, random)
    for level in reversed(levels):
        layout.place(level)
        layout.detach(level)
    start = np.zeros(len(trees), np.int64)
    for level in levels:
        start[level.children] = start[trees.parent[level.children]] + layout.offset[level.children]
    return Times(start, layout.duration)


def own_times(catalogue: Catalogue, trees: Trees, random: np.random.Generator) -> Numbers:
    """What each span takes for itself, in nanoseconds: log-normal, as given or with slow traces and rare outliers."""
    sigma = catalogue.sigma[trees.operation]
    usual = np.isnan(sigma)
    slow = random.lognormal(0, TRACE_SPREAD, trees.trace[-1] + 1)[trees.trace]
    slow[random.random(len(trees)) < OUTLIERS] *= OUTLIER_FACTOR
    own = catalogue.own_ns[trees.operation] * np.exp(np.where(usual, SPREAD, sigma) * random.normal(size=len(trees)))
    return np.asarray((own * np.where(usual, slow, 1)).astype(np.int64) + 1000)


@dataclass(frozen=True, slots=True)
class Layout:
    """Times while they are laid out from the leaves up; arrays are by span."""

    own: Numbers
    duration: Numbers
    """Own time, and of what is already laid out that of the children."""
    offset: Numbers
    """From the parent's start."""
    shape: Numbers
    together: Flags
    random: np.random.Generator

    def place(self, level: Families) -> None:
        """Places the children of one depth in their parents, and stretches the parents to hold them.

        Children stand in stages: all of a stage start together, give or take, and the next stage starts when the last
        of them has ended. The parent's own time lies before, between and after the stages.
        """
        children, parents = level.children, level.parents
        opens = (self.random.random(children.size) >= CONCURRENT) & ~self.together[children]
        opens[level.first] = True
        late = np.where(opens, 0, self.random.exponential(LATE_NS, children.size)).astype(np.int64)
        stage_first = np.flatnonzero(opens)
        length = np.maximum.reduceat(late + self.duration[children], stage_first)
        family = np.searchsorted(level.first, stage_first, "right") - 1
        family_first = _starts(family)
        gap = self._gaps(self.own[parents], family, family_first)
        start = np.cumsum(gap + length) - length
        start -= (start - gap)[family_first][family]
        self.offset[children] = start[np.cumsum(opens) - 1] + late
        self.duration[parents] += np.add.reduceat(length, family_first)

    def _gaps(self, own: Numbers, family: Numbers, family_first: Numbers) -> Numbers:
        """The parent's own time before each stage; the rest of it follows the last stage."""
        weight = self.random.exponential(1, family.size)
        after = self.random.exponential(1, own.size)
        total = np.add.reduceat(weight, family_first) + after
        return np.asarray((own[family] * (weight / total[family])).astype(np.int64))

    def detach(self, level: Families) -> None:
        """Consumers work after their message was sent and waited; the producer does not wait for them."""
        sent = np.flatnonzero(self.shape[level.parents] == Shape.PRODUCER)
        producers, consumers = level.parents[sent], level.children[level.first[sent]]
        self.duration[producers] = self.own[producers]
        waited = self.random.exponential(QUEUE_NS, sent.size).astype(np.int64)
        self.offset[consumers] = self.own[producers] + waited
