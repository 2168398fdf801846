"""Disorder on purpose: which requests repeat others, come late or out of order, lie about the time, or lack spans.

A request has at most one of these. Which, and how, follows from the seed and the request's number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from math import isfinite
from typing import Final

import numpy as np
import numpy.typing as npt

STREAM: Final = 0x7669_7661_6365_0010
"""Second half of the key of the draws that say which requests are in disorder."""
DETAILS: Final = 0x7669_7661_6365_0011
"""And of those that say how."""
BLOCK: Final = 1024
"""Requests that are drawn for at once."""


class Kind(StrEnum):
    """What is wrong with a request, as the ledger has it."""

    DUPLICATE = "duplicate"
    """The bytes of an earlier request once more."""
    LATE = "late"
    """Its times are minutes old."""
    REORDERED = "reordered"
    """Held back: it comes after requests whose times are later."""
    SKEWED = "skewed"
    """The clock of each resource in it is wrong by an amount of its own."""
    INCOMPLETE = "incomplete"
    """Some of its spans are missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disorder:
    """Shares of all requests, 0 to 1, and how far they are off."""

    duplicate: float = 0.0
    late: float = 0.0
    late_by_s: float = 300.0
    reordered: float = 0.0
    reordered_by_s: float = 5.0
    skewed: float = 0.0
    skewed_by_s: float = 60.0
    """At most, either way."""
    incomplete: float = 0.0
    missing: float = 0.1
    """Of an incomplete request's spans; one at least."""

    @property
    def shares(self) -> Mapping[Kind, float]:
        return {kind: getattr(self, kind.value) for kind in Kind}

    @property
    def any(self) -> bool:
        return any(self.shares.values())

    def problems(self) -> Iterator[str]:
        """What is wrong with it, a line for each thing."""
        for kind, share in self.shares.items():
            if not 0 <= share <= 1:
                yield f"disorder: {kind}: {share} is no share; give 0 to 1"
        if sum(self.shares.values()) > 1 + 1e-9:
            yield "disorder: the shares are more than 1 together; a request has one kind of disorder at most"
        if not 0 < self.missing < 1:
            yield f"disorder: missing: {self.missing} is no share of a request's spans; give one between 0 and 1"
        for name in ("late_by_s", "reordered_by_s", "skewed_by_s"):
            if not (isfinite(getattr(self, name)) and getattr(self, name) > 0):
                yield f"disorder: {name.removesuffix('_s')}: {getattr(self, name)} is no time; give one above zero"

    def kind(self, seed: int, number: int) -> Kind | None:
        """What is wrong with a request; None: nothing."""
        if not self.any:
            return None
        block, place = divmod(number, BLOCK)
        return _kinds(self, seed, block)[place]


@lru_cache(maxsize=4)
def _kinds(disorder: Disorder, seed: int, block: int) -> tuple[Kind | None, ...]:
    edges = np.cumsum(list(disorder.shares.values()))
    choices: tuple[Kind | None, ...] = (*Kind, None)
    drawn = np.searchsorted(edges, draws(seed, STREAM, block, BLOCK), side="right")
    return tuple(choices[place] for place in drawn.tolist())


def draws(seed: int, stream: int, number: int, count: int) -> npt.NDArray[np.float64]:
    """Numbers from 0 to 1 that follow from the seed, what they are for, and a number."""
    key, counter = np.array([seed, stream], np.uint64), np.array([0, number, 0, 0], np.uint64)
    raw = np.random.Philox(key=key, counter=counter).random_raw(count)
    return (raw >> np.uint64(11)) / float(1 << 53)
