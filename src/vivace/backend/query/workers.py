"""Runs queries in a few threads, so that a slow one does not hold up the others, and ends those nobody waits for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from starlette.requests import Request

T = TypeVar("T")
Check = Callable[[], None]

THREADS: Final = 4
WAITING: Final = 256
LIMIT_S: Final = 60.0
_GRACE_S: Final = 1.0
"""A query that is past its time is given so long to notice before it is answered for."""


class Abandoned(Exception):
    """The client went away before its answer was ready."""


class Overloaded(Exception):
    """As many requests wait as may."""


class TimedOut(Exception):
    """The answer took longer than is allowed."""


class Workers:
    """A bounded queue in front of a few threads, and a bound on the time from asking to having the answer."""

    def __init__(self, threads: int = THREADS, waiting: int = WAITING, limit_s: float = LIMIT_S) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="query")
        self._free = threads + waiting
        self._limit_s = limit_s

    async def run(self, request: Request, work: Callable[[Check], T]) -> T:
        """The result of `work`, which is given a check to call now and then: it raises once the client is gone."""
        gone = threading.Event()
        watcher = asyncio.ensure_future(_disconnected(request))
        watcher.add_done_callback(lambda watched: None if watched.cancelled() else gone.set())
        try:
            return await self.answer(work, gone)
        finally:
            watcher.cancel()

    async def answer(self, work: Callable[[Check], T], gone: threading.Event) -> T:
        """The same for a client of which `gone` tells, or the cancellation of this, that it has left."""
        if self._free <= 0:
            raise Overloaded
        self._free -= 1
        check = _checking(gone, time.monotonic() + self._limit_s)
        future = asyncio.get_running_loop().run_in_executor(self._executor, _checked, work, check)
        future.add_done_callback(self._finished)
        try:
            done, _ = await asyncio.wait({future}, timeout=self._limit_s + _GRACE_S)
        except asyncio.CancelledError:
            gone.set()
            raise
        if not done:
            gone.set()
            raise TimedOut
        return future.result()

    def close(self) -> None:
        """Wait for what is running; start nothing more."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _finished(self, future: asyncio.Future[Any]) -> None:
        self._free += 1
        if not future.cancelled():
            future.exception()  # looked at here too, since whoever asked may be gone


def _checked(work: Callable[[Check], T], check: Check) -> T:
    check()
    return work(check)


def _checking(gone: threading.Event, deadline: float) -> Check:
    def check() -> None:
        if gone.is_set():
            raise Abandoned
        if time.monotonic() > deadline:
            raise TimedOut

    return check


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
