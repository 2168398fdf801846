"""How the probes stand, in memory that the probing process and its parent share."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from vivace.send.ring import Ring
from vivace.send.shared import Words

LAST_VISIBLE: Final = 15


class Count(IntEnum):
    """The counters, all written by the probing process."""

    READY = 0
    DRAWN = 1
    FOUND = 2
    MISSING = 3
    WRONG = 4
    UNCHECKED = 5


class Board:
    """The shared memory, laid out."""

    SIZE: Final = len(Count) + Ring.size(LAST_VISIBLE, 1)

    def __init__(self, words: Words) -> None:
        self.counts = words[: len(Count)]
        self.visible = Ring(words[len(Count) :], 1)  # nanoseconds
