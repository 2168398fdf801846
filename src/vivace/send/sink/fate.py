"""What befalls a request, drawn from a sink's faults."""

from __future__ import annotations

import random
from enum import Enum, auto

from vivace.send.sink.settings import Faults


class Fate(Enum):
    """Of a request."""

    TAKEN = auto()
    REFUSED = auto()
    THROTTLED = auto()
    PARTIAL = auto()
    DROPPED = auto()
    HUNG = auto()


class Fates:
    """One after the other, for one process."""

    def __init__(self, faults: Faults, process: int) -> None:
        self._random = random.Random(f"{faults.seed}/{process}")  # noqa: S311 - which request fails is no secret
        self._delay = faults.delay
        self._any = faults.any
        rates = (faults.refuse, faults.throttle, faults.partial, faults.drop, faults.hang)
        fates = (Fate.REFUSED, Fate.THROTTLED, Fate.PARTIAL, Fate.DROPPED, Fate.HUNG)
        self._rates = list(zip(rates, fates, strict=True))

    def draw(self) -> tuple[Fate, bool]:
        """What befalls the next request, and whether its answer is delayed."""
        if not self._any:
            return Fate.TAKEN, False
        delayed = self._random.random() < self._delay
        chance = self._random.random()
        for rate, fate in self._rates:
            if chance < rate:
                return fate, delayed
            chance -= rate
        return Fate.TAKEN, delayed
