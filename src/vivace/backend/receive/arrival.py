"""Messages of gRPC on their way: those that take long are few, and none takes for ever.

What has arrived of a message is in memory. One that comes at once is bounded by the network; of those that do not, only
so many are waited for.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any, Final

import grpc

from vivace.backend.receive.answer import Cause, NotTaken
from vivace.backend.receive.intake import MESSAGE_BYTES

QUICK_SECONDS: Final = 1.0
"""A message that takes longer is slow."""
SLOW_SECONDS: Final = 30.0
"""A message that takes longer is given up."""
MOST_SLOW: Final = 16
WATCH_SECONDS: Final = 0.25


class Arrivals:
    """The calls of which the message is awaited."""

    def __init__(
        self, quick_s: float = QUICK_SECONDS, slow_s: float = SLOW_SECONDS, most_slow: int = MOST_SLOW
    ) -> None:
        self._quick = quick_s
        self._slow = slow_s
        self._most = most_slow
        self._since: dict[asyncio.Task[Any], float] = {}
        self._given_up: dict[asyncio.Task[Any], NotTaken] = {}

    async def message(self, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        """The one message of a call, read in the call's own task. NotTaken when it takes too long, or is not there."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a call has a task
        self._since[task] = monotonic()
        try:
            message = await context.read()
        except asyncio.CancelledError:
            refusal = self._given_up.get(task)
            if refusal is None:
                raise  # the client has gone
            task.uncancel()
            raise refusal from None
        finally:
            del self._since[task]
            self._given_up.pop(task, None)
        if not isinstance(message, bytes):
            raise NotTaken(Cause.TOO_LARGE, f"the call has no request, or one larger than {MESSAGE_BYTES} bytes")
        return message

    async def watch(self) -> None:
        """Gives up what takes too long, until cancelled."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            self._look(monotonic())

    def _look(self, now: float) -> None:
        """Those that wait for the longest time come first."""
        slow = [(task, now - since) for task, since in self._since.items() if now - since > self._quick]
        for place, (task, seconds) in enumerate(slow):
            if seconds > self._slow:
                self._give_up(task, NotTaken(Cause.TOO_SLOW, f"the request did not arrive within {self._slow:g} s"))
            elif place >= self._most:
                why = f"more than {self._most} requests arrive slowly; send again later"
                self._give_up(task, NotTaken(Cause.OVERLOADED, why))

    def _give_up(self, task: asyncio.Task[Any], refusal: NotTaken) -> None:
        if task not in self._given_up:
            self._given_up[task] = refusal
            task.cancel()
