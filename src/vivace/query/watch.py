"""The asking process's eye on its parent, and its regular duties; pauses that end when the load is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from multiprocessing import parent_process
from typing import Final

from vivace.query.board import Count
from vivace.send.clock import Clock
from vivace.send.shared import Words

TICK_NS: Final = 500_000_000
LONGEST_SLEEP: Final = 0.05
"""So that a stop is noticed in time."""


class Watch:
    """Runs beside those who ask."""

    def __init__(self, counts: Words, clock: Clock, duties: Callable[[], None]) -> None:
        self._counts = counts
        self._clock = clock
        self._duties = duties
        self._event = asyncio.Event()

    @property
    def stopped(self) -> bool:
        return self._event.is_set()

    async def run(self) -> None:
        """Until the load is stopped, or its parent is gone."""
        next_tick_ns = 0
        while not self._counts[Count.STOP]:
            now_ns = self._clock.now_ns()
            if now_ns >= next_tick_ns:
                next_tick_ns = now_ns + TICK_NS
                self._duties()
                parent = parent_process()
                if parent is not None and not parent.is_alive():
                    break
            await asyncio.sleep(LONGEST_SLEEP)
        self._event.set()

    async def start_ns(self) -> int:
        """When the load begins, in Unix nanoseconds, once the parent has said so."""
        while not (self._counts[Count.START_NS] or self.stopped):
            await asyncio.sleep(0.001)
        return self._counts[Count.START_NS]

    async def pause(self, until_ns: int) -> bool:
        """Waits until a moment in Unix nanoseconds; False when the load has been stopped."""
        remaining_s = (until_ns - self._clock.now_ns()) / 1e9
        if remaining_s <= 0:
            return not self.stopped
        try:
            await asyncio.wait_for(self._event.wait(), remaining_s)
        except TimeoutError:
            return True
        return False
