"""What goes wrong: a few spans fail by themselves, and most failures reach those who wait for the result."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from vivace.telemetry.arrays import Flags, Numbers
from vivace.telemetry.catalogue import Catalogue
from vivace.telemetry.operations import Shape
from vivace.telemetry.timing import Families
from vivace.telemetry.trees import Trees


class Fault(IntEnum):
    """Why a span did not do what it was asked for; of several the greatest counts."""

    NONE = 0
    NOT_FOUND = 1
    INVALID = 2
    DENIED = 3
    INTERNAL = 4
    UNAVAILABLE = 5
    TIMEOUT = 6


SERVES: Final = np.isin(list(Shape), [Shape.HTTP_SERVER, Shape.RPC_SERVER])
"""By shape: answers a call."""
REFUSALS: Final = 3
"""Faults up to this one are the caller's: its client span fails, the server span and the caller itself do not."""

REFUSAL_RATE: Final = 0.009
"""Of calls that a server answers."""
HTTP_STATUS: Final = np.array([0, 404, 400, 403, 500, 503, 504])
"""By fault; 0: whatever says that all is well."""
RPC_STATUS: Final = (
    "OK",
    "NOT_FOUND",
    "INVALID_ARGUMENT",
    "PERMISSION_DENIED",
    "INTERNAL",
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
)
FAILURE_RATE: Final = np.array([0.002, 0, 0.002, 0, 0.003, 0.001, 0.004, 0.001])
"""By shape: how often a span fails by itself."""
EXTERNAL_RATE: Final = 0.012
"""How often a call to somebody else's server fails."""
FAILS_AS: Final = {
    Shape.DATABASE: (Fault.TIMEOUT, Fault.UNAVAILABLE),
    Shape.PRODUCER: (Fault.TIMEOUT, Fault.UNAVAILABLE),
    Shape.HTTP_CLIENT: (Fault.UNAVAILABLE, Fault.TIMEOUT),
}
"""What else than an internal error a failure is, by shape, with equal chances."""
PASSES_ON: Final = np.array([1.0, 0.75, 1.0, 0.75, 0.85, 0.8, 0.0, 0.95])
"""By shape of the failed span: how often its parent fails too. A client span always shares its server's fate."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What went wrong, by span."""

    kind: npt.NDArray[np.int8]
    """A Fault: its own, or one that reached it."""
    origin: Flags
    """Whether the span failed by itself, not because of a child."""


def own_faults(catalogue: Catalogue, trees: Trees, random: np.random.Generator) -> npt.NDArray[np.int8]:
    """The Fault of each span that fails, or is refused, by itself."""
    shape = catalogue.shape[trees.operation]
    chance = random.random(shape.size)
    elsewhere = (shape == Shape.HTTP_CLIENT) & _is_leaf(trees)
    given = catalogue.errors[trees.operation]
    usual = np.isnan(given)
    failing = np.flatnonzero(chance < np.where(usual, np.where(elsewhere, EXTERNAL_RATE, FAILURE_RATE[shape]), given))
    kind = np.zeros(shape.size, np.int8)
    kind[failing] = _kinds(shape[failing], random)
    refused = np.flatnonzero((chance > 1 - REFUSAL_RATE) & SERVES[shape] & usual)
    kind[refused] = random.choice([Fault.NOT_FOUND, Fault.INVALID, Fault.DENIED], refused.size, p=[0.7, 0.2, 0.1])
    return kind


def risen(
    own: npt.NDArray[np.int8],
    shape: Numbers,
    levels: list[Families],
    random: np.random.Generator,
    cascade: float | None = None,
) -> Faults:
    """Lets failures rise towards the roots; `own` and `shape` are by span, `cascade` is how many reach the caller."""
    kind = own.copy()
    rates = PASSES_ON if cascade is None else np.where(PASSES_ON % 1 > 0, cascade, PASSES_ON)
    passes = random.random(kind.size) < rates[shape]
    for level in reversed(levels):
        children = level.children
        rising = np.where(passes[children] & _rises(kind[children], shape[children]), kind[children], 0)
        kind[level.parents] = np.maximum(kind[level.parents], np.maximum.reduceat(rising, level.first))
    return Faults(kind, own > REFUSALS)


def failed(shape: Numbers, kind: npt.NDArray[np.int8]) -> Flags:
    """Which spans have status ERROR: a server's refusal is its client's error, not its own."""
    return np.asarray((kind > REFUSALS) | ((kind > 0) & ~SERVES[shape]))


def _rises(kind: npt.NDArray[np.int8], shape: Numbers) -> Flags:
    """A refusal reaches the client span of the same call, and ends there."""
    return np.asarray((kind > REFUSALS) | SERVES[shape])


def _is_leaf(trees: Trees) -> Flags:
    leaf = np.ones(len(trees), np.bool_)
    leaf[trees.parent[trees.parent >= 0]] = False
    return leaf


def _kinds(shape: Numbers, random: np.random.Generator) -> npt.NDArray[np.int8]:
    kind = np.full(shape.size, Fault.INTERNAL, np.int8)
    for failing, kinds in FAILS_AS.items():
        rows = np.flatnonzero(shape == failing)
        kind[rows] = random.choice(kinds, rows.size)
    return kind
