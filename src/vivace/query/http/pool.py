"""Connections to one target, kept as long as they are of use; each request gets one for itself."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from vivace.query.http.connection import Closed, Connection
from vivace.query.http.response import ResponseReader


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an address leads."""

    host: str
    port: int
    secure: bool
    authority: str
    """As the Host header has it."""
    prefix: str
    """Of every path; without a slash at its end."""

    @classmethod
    def of(cls, url: str) -> Origin:
        """Of an http or https address."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        authority = parts.netloc.rpartition("@")[2]
        return cls(
            parts.hostname or "", parts.port or (443 if secure else 80), secure, authority, parts.path.rstrip("/")
        )


class Response(NamedTuple):
    """A response that has come whole."""

    ended_ns: int
    reader: ResponseReader


class Exchange:
    """A request on its way; `reader` holds what has come of its response."""

    __slots__ = ("reader",)

    def __init__(self) -> None:
        self.reader: ResponseReader | None = None


class Pool:
    """Of one event loop."""

    def __init__(self, origin: Origin, now_ns: Callable[[], int], largest: int, tls: ssl.SSLContext | None) -> None:
        self._origin = origin
        self._now_ns = now_ns
        self._largest = largest
        self._tls = tls
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()

    async def ask(self, request: bytes, timeout_s: float, exchange: Exchange) -> Response:
        """Sends a request and waits for its response.

        Raises TimeoutError, OSError (no connection), Closed, NotHttp or TooLarge. A connection that the target has
        closed since its last use is replaced by a new one: that is no failure of a request that had no answer yet.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            connection = await self._connection(deadline - loop.time())
            again = connection.used
            waiter: asyncio.Future[int] = loop.create_future()
            connection.ask(request, waiter)
            exchange.reader = connection.reader
            timer = loop.call_at(deadline, _time_out, waiter)
            try:
                ended_ns = await waiter
            except Closed:
                if again:
                    continue
                raise
            finally:
                timer.cancel()
                self._give_back(connection, waiter)
            assert connection.reader is not None  # noqa: S101 - it has just read the response
            return Response(ended_ns, connection.reader)

    def close(self) -> None:
        """Ends all connections."""
        for connection in self._all:
            connection.close()
        self._all.clear()
        self._idle.clear()

    async def _connection(self, timeout_s: float) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            self._all.discard(connection)
        origin = self._origin
        async with asyncio.timeout(timeout_s):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(self._now_ns, self._largest), origin.host, origin.port, ssl=self._tls
            )
        self._all.add(connection)
        return connection

    def _give_back(self, connection: Connection, waiter: asyncio.Future[int]) -> None:
        if connection.usable and waiter.done() and not waiter.cancelled() and waiter.exception() is None:
            self._idle.append(connection)
            return
        connection.close()
        self._all.discard(connection)


def _time_out(waiter: asyncio.Future[int]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())
