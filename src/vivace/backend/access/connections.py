"""Bounds on what HTTP connections may do: how many there are, and how much and how long each may send or read."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

TOO_LARGE: Final = 431


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of a server's connections."""

    connections: int = 1024
    """More are turned away."""
    request_s: float = 30.0
    """A request that has not arrived whole by then, from its connection's opening or its first byte, is given up."""
    answer_s: float = 30.0
    """A client that takes nothing of its answer for so long has gone."""
    head_bytes: int = 64 << 10
    """A request's line and headers; what is larger is refused."""
    farewell_s: float = 5.0
    """So long a client that is refused in the midst of sending may go on, since it reads only then."""


DEFAULT_BOUNDS: Final = Bounds()


class _Connection(h11.Connection):
    """h11 bounds heads of which the end is not there yet; this bounds those too that come at once."""

    def __init__(self, head_bytes: int) -> None:
        super().__init__(h11.SERVER, head_bytes)
        self._head_bytes = head_bytes

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        event = super().next_event()
        if isinstance(event, h11.Request) and _head_bytes(event) > self._head_bytes:
            raise h11.RemoteProtocolError("the head is too large", error_status_hint=TOO_LARGE)
        return event


def _head_bytes(request: h11.Request) -> int:
    """As it was sent, without white space that means nothing."""
    line = len(request.method) + len(request.target) + len(b"  HTTP/1.1\r\n")
    return line + sum(len(name) + len(value) + len(b": \r\n") for name, value in request.headers) + len(b"\r\n")


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol, of which every wait for the client comes to an end."""

    bounds: Bounds
    _arriving: asyncio.TimerHandle | None = None
    _answering: asyncio.TimerHandle | None = None
    _leaving: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.conn = _Connection(self.bounds.head_bytes)
        if len(self.connections) > self.bounds.connections:
            self._end(b"503 Service Unavailable", b"too many connections; try again later")
        else:
            self._await_request()

    def data_received(self, data: bytes) -> None:
        if self._leaving is not None or self.transport.is_closing():  # TLS hands on what had come by then
            return
        self._await_request()
        super().data_received(data)
        if self.conn.their_state not in {h11.IDLE, h11.SEND_BODY}:
            self._arrived()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        begun = self.conn.their_state is h11.SEND_BODY or self.conn.trailing_data[0]
        if begun and self._leaving is None and not self.transport.is_closing():
            self._await_request()  # another one, of which a part came behind the one that was answered

    def pause_writing(self) -> None:
        super().pause_writing()
        self._answering = self.loop.call_later(self.bounds.answer_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._taken()

    def send_400_response(self, msg: str) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, h11.RemoteProtocolError) and error.error_status_hint == TOO_LARGE:
            reason = f"the request line and the headers are larger than {self.bounds.head_bytes} bytes"
            self._say(b"431 Request Header Fields Too Large", reason.encode())
        else:
            self._say(b"400 Bad Request", msg.encode())
        self._take_leave()

    def shutdown(self) -> None:
        if self._leaving is None:
            super().shutdown()
        else:
            self.transport.abort()

    def let_go(self) -> None:
        """For a connection that is somebody else's from now on."""
        self._arrived()
        self._taken()

    def connection_lost(self, exc: Exception | None) -> None:
        self.let_go()
        if self._leaving is not None:
            self._leaving.cancel()
        super().connection_lost(exc)

    def _await_request(self) -> None:
        if self._arriving is None:
            self._arriving = self.loop.call_later(self.bounds.request_s, self._give_up)

    def _arrived(self) -> None:
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None

    def _taken(self) -> None:
        if self._answering is not None:
            self._answering.cancel()
            self._answering = None

    def _give_up(self) -> None:
        self._end(b"408 Request Timeout", f"the request took longer than {self.bounds.request_s:g} s".encode())

    def _end(self, status: bytes, reason: bytes) -> None:
        """Closes the connection, and says why where no answer has begun."""
        self._say(status, reason)
        self.transport.close()

    def _take_leave(self) -> None:
        """Closes the connection later: closing it with something unread would take away what was said."""
        self.let_go()
        self._unset_keepalive_if_required()
        if self.cycle is not None:  # whoever answers has nobody left to answer
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.transport.resume_reading()
        self._leaving = self.loop.call_later(self.bounds.farewell_s, self.transport.abort)

    def _say(self, status: bytes, reason: bytes) -> None:
        if self.conn.our_state is h11.IDLE or (self.conn.our_state is h11.SEND_RESPONSE and not self._answer_begun()):
            head = b"HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
            self.transport.write(head % (status, len(reason)) + reason)

    def _answer_begun(self) -> bool:
        return self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete


def bounded(bounds: Bounds = DEFAULT_BOUNDS) -> type[Any]:
    """For `http` of uvicorn.Config."""
    return type("BoundedProtocol", (BoundedProtocol,), {"bounds": bounds})
