"""One connection to a target: carries one request at a time, and is used again as long as both sides agree."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from vivace.query.http.response import NotHttp, ResponseReader, TooLarge


class Closed(Exception):
    """The connection ended before anything of a response had come."""


class Connection(asyncio.Protocol):
    """Made by Pool. `now_ns` tells the time at which a response's last byte arrived."""

    def __init__(self, now_ns: Callable[[], int], largest: int) -> None:
        self.usable = True
        self.used = False
        """Whether it has carried a request before."""
        self._now_ns = now_ns
        self._largest = largest
        self._transport: asyncio.Transport | None = None
        self.reader: ResponseReader | None = None
        """Of the response that is awaited or was read last."""
        self._waiter: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - streams have no other
        self._transport = transport

    def ask(self, request: bytes, waiter: asyncio.Future[int]) -> None:
        """Sends a request. The waiter gets the time at which its response was complete, in Unix nanoseconds, or
        Closed, NotHttp or TooLarge; `reader` holds the response, as far as it came."""
        self.reader, self._waiter = ResponseReader(self._largest), waiter
        if self._transport is None or not self.usable:
            self._fail(Closed("the connection was closed"))
            return
        self._transport.write(request)

    def close(self) -> None:
        """At once; nobody waits for an answer any more."""
        self.usable, self._waiter = False, None
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        reader = self.reader
        if self._waiter is None or reader is None:
            self.close()  # nobody asked
            return
        try:
            reader.feed(data)
        except (NotHttp, TooLarge) as error:
            self._fail(error)
            return
        if reader.complete:
            self.usable, self.used = reader.reusable, True
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        reader = self.reader
        if self._waiter is None or reader is None:
            return
        if not reader.begun:
            self._fail(Closed(str(exc) if exc else "the target closed the connection without an answer"))
            return
        try:
            reader.end()
        except NotHttp as error:
            self._fail(error)
        else:
            self._end()

    def _end(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(self._now_ns())
        if not self.usable and self._transport is not None:
            self._transport.close()

    def _fail(self, error: Exception) -> None:
        waiter = self._waiter
        self.close()
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)
