"""Blocks that are left alone for a while, so that they do not hold up others."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

SHORTEST_SECONDS: Final = 30.0
LONGEST_SECONDS: Final = 3600.0


class Apart:
    """Which are left alone, by ID, and until when. Times are those of a clock that only goes forward."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._paused: dict[str, float] = {}
        """How long each was left alone the last time."""

    def leave(self, identities: Iterable[str], now: float) -> None:
        """For as long as ever."""
        self._until |= dict.fromkeys(identities, now + LONGEST_SECONDS)

    def leave_longer(self, identity: str, now: float) -> float:
        """For a short while, or for twice as long as the last time; returns how long, in seconds."""
        pause = min(LONGEST_SECONDS, 2 * self._paused.get(identity, 0.0) or SHORTEST_SECONDS)
        self._paused[identity] = pause
        self._until[identity] = now + pause
        return pause

    def at(self, now: float, known: Collection[str]) -> frozenset[str]:
        """Those that are left alone now; what is not known any more is forgotten."""
        self._until = {identity: until for identity, until in self._until.items() if until > now}
        self._paused = {identity: pause for identity, pause in self._paused.items() if identity in known}
        return frozenset(self._until)
