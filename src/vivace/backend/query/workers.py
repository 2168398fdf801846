"""Runs queries in a few threads, so that a slow one does not hold up the others, and ends those nobody waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from starlette.requests import Request

T = TypeVar("T")

THREADS: Final = 4
WAITING: Final = 256


class Abandoned(Exception):
    """The client went away before its answer was ready."""


class Overloaded(Exception):
    """As many requests wait as may."""


class Workers:
    """A bounded queue in front of a few threads."""

    def __init__(self, threads: int = THREADS, waiting: int = WAITING) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="query")
        self._free = threads + waiting

    async def run(self, request: Request, work: Callable[[Callable[[], None]], T]) -> T:
        """The result of `work`, which is given a check to call now and then: it raises once the client is gone."""
        if self._free <= 0:
            raise Overloaded
        self._free -= 1
        gone = threading.Event()
        watcher = asyncio.ensure_future(_disconnected(request))
        watcher.add_done_callback(lambda watched: None if watched.cancelled() else gone.set())
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work, _checking(gone))
        finally:
            watcher.cancel()
            self._free += 1

    def close(self) -> None:
        """Wait for what is running; start nothing more."""
        self._executor.shutdown(wait=True, cancel_futures=True)


def _checking(gone: threading.Event) -> Callable[[], None]:
    def check() -> None:
        if gone.is_set():
            raise Abandoned

    return check


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
