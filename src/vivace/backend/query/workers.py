"""Runs queries in a few threads, so that a slow one does not hold up the others, and ends those nobody waits for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from starlette.requests import Request

from vivace.backend.tenant.identity import SINGLE_TENANT

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
    """As many requests wait, or as many of a tenant, as may."""


class TimedOut(Exception):
    """The answer took longer than is allowed."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whose request it is, and what that tenant may."""

    tenant: str = SINGLE_TENANT
    seconds: float = LIMIT_S
    """From asking to having the answer; 0 is no limit."""
    at_once: int = 0
    """Requests that are answered or wait; 0 is no limit."""


DEFAULT_ALLOWANCE: Final = Allowance()


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A request that no thread is free for."""

    start: Callable[[], None]
    give_up: Callable[[], None]
    gone: threading.Event
    since: float


class Workers:
    """A few threads, and a bounded queue before them in which tenants take turns."""

    def __init__(
        self, threads: int = THREADS, waiting: int = WAITING, waited: Callable[[float], None] = lambda _: None
    ) -> None:
        """`waited` is told how long each request waited for a thread when none was free."""
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="query")
        self._idle = threads
        self._free = threads + waiting
        self._present: Counter[str] = Counter()
        self._queues: OrderedDict[str, deque[_Waiting]] = OrderedDict()
        self._waited = waited

    async def run(self, request: Request, work: Callable[[Check], T], allowance: Allowance = DEFAULT_ALLOWANCE) -> T:
        """The result of `work`, which is given a check to call now and then: it raises once the client is gone."""
        gone = threading.Event()
        watcher = asyncio.ensure_future(_disconnected(request))
        watcher.add_done_callback(lambda watched: None if watched.cancelled() else self._left(gone))
        try:
            return await self.answer(work, gone, allowance)
        finally:
            watcher.cancel()

    async def answer(
        self, work: Callable[[Check], T], gone: threading.Event, allowance: Allowance = DEFAULT_ALLOWANCE
    ) -> T:
        """The same for a client of which `gone` tells, or the cancellation of this, that it has left."""
        self._admit(allowance)
        limit_s = allowance.seconds or None
        check = _checking(gone, None if limit_s is None else time.monotonic() + limit_s)
        future = self._begun(allowance.tenant, work, check, gone)
        try:
            done, _ = await asyncio.wait({future}, timeout=None if limit_s is None else limit_s + _GRACE_S)
        except asyncio.CancelledError:
            self._left(gone)
            raise
        if not done:
            self._left(gone)
            raise TimedOut
        return future.result()

    def waiting(self) -> dict[str, int]:
        """How many requests of each tenant wait for a thread."""
        return {tenant: len(queue) for tenant, queue in list(self._queues.items())}

    def close(self) -> None:
        """Wait for what is running; start nothing more."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _admit(self, allowance: Allowance) -> None:
        if self._free <= 0:
            raise Overloaded("job queue full")
        if allowance.at_once and self._present[allowance.tenant] >= allowance.at_once:
            raise Overloaded(f"too many queries at once: tenant {allowance.tenant} may ask {allowance.at_once}")
        self._free -= 1
        self._present[allowance.tenant] += 1

    def _begun(self, tenant: str, work: Callable[[Check], T], check: Check, gone: threading.Event) -> asyncio.Future[T]:
        """What becomes of the work, which is begun now or when it is its tenant's turn."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def start() -> None:
            running = loop.run_in_executor(self._executor, _checked, work, check)
            running.add_done_callback(partial(self._finished, tenant, future))

        def give_up() -> None:
            self._release(tenant)
            _fail(future, Abandoned())

        if self._idle:
            self._idle -= 1
            start()
        else:
            self._queues.setdefault(tenant, deque()).append(_Waiting(start, give_up, gone, time.monotonic()))
        return future

    def _finished(self, tenant: str, future: asyncio.Future[T], running: asyncio.Future[T]) -> None:
        self._release(tenant)
        self._hand_on()
        if running.cancelled():
            future.cancel()
        elif (error := running.exception()) is not None:
            _fail(future, error)
        elif not future.done():
            future.set_result(running.result())

    def _release(self, tenant: str) -> None:
        """There is room for another request."""
        self._free += 1
        self._present[tenant] -= 1
        if not self._present[tenant]:
            del self._present[tenant]

    def _left(self, gone: threading.Event) -> None:
        """Nobody waits any more: the work is ended, or never begun."""
        gone.set()
        for tenant, queue in list(self._queues.items()):
            for request in [request for request in queue if request.gone.is_set()]:
                queue.remove(request)
                request.give_up()
            if not queue:
                del self._queues[tenant]

    def _hand_on(self) -> None:
        """Gives a thread that is free to the tenant that has waited longest for one."""
        if not self._queues:
            self._idle += 1
            return
        tenant, queue = self._queues.popitem(last=False)
        request = queue.popleft()
        if queue:
            self._queues[tenant] = queue
        self._waited(time.monotonic() - request.since)
        request.start()


def _fail(future: asyncio.Future[T], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # looked at here too, since whoever asked may be gone


def _checked(work: Callable[[Check], T], check: Check) -> T:
    check()
    return work(check)


def _checking(gone: threading.Event, deadline: float | None) -> Check:
    def check() -> None:
        if gone.is_set():
            raise Abandoned
        if deadline is not None and time.monotonic() > deadline:
            raise TimedOut

    return check


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
