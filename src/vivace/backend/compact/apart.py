"""Blocks that are left alone for a while, so that they do not hold up others."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

SHORTEST_SECONDS: Final = 30.0
LONGEST_SECONDS: Final = 3600.0


class Apart:
    """Which blocks are left alone, and until when. Times are those of a clock that only goes forward."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._paused: dict[str, float] = {}
        """How long each was left alone the last time."""

    def leave(self, blocks: Iterable[str], now: float) -> None:
        """For as long as ever."""
        self._until |= dict.fromkeys(blocks, now + LONGEST_SECONDS)

    def leave_longer(self, block: str, now: float) -> float:
        """For a short while, or for twice as long as the last time; returns how long, in seconds."""
        pause = min(LONGEST_SECONDS, 2 * self._paused.get(block, 0.0) or SHORTEST_SECONDS)
        self._paused[block] = pause
        self._until[block] = now + pause
        return pause

    def at(self, now: float, visible: Collection[str]) -> frozenset[str]:
        """Those that are left alone now; what is not visible any more is forgotten."""
        self._until = {block: until for block, until in self._until.items() if until > now}
        self._paused = {block: pause for block, pause in self._paused.items() if block in visible}
        return frozenset(self._until)
