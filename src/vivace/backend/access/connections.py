"""Bounds on what HTTP connections may do: how many there are, and how long each may take to send or to read."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of a server's connections."""

    connections: int = 1024
    """More are turned away."""
    request_s: float = 30.0
    """A request that has not arrived whole by then, from its connection's opening or its first byte, is given up."""
    answer_s: float = 30.0
    """A client that takes nothing of its answer for so long has gone."""


DEFAULT_BOUNDS: Final = Bounds()


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol, of which every wait for the client comes to an end."""

    bounds: Bounds
    _arriving: asyncio.TimerHandle | None = None
    _answering: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.bounds.connections:
            self._end(b"503 Service Unavailable", b"too many connections; try again later")
        else:
            self._await_request()

    def data_received(self, data: bytes) -> None:
        self._await_request()
        super().data_received(data)
        if self.conn.their_state not in {h11.IDLE, h11.SEND_BODY}:
            self._arrived()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._answering = self.loop.call_later(self.bounds.answer_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._taken()

    def let_go(self) -> None:
        """For a connection that is somebody else's from now on."""
        self._arrived()
        self._taken()

    def connection_lost(self, exc: Exception | None) -> None:
        self.let_go()
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
        if self.conn.our_state is h11.IDLE or (self.conn.our_state is h11.SEND_RESPONSE and not self._answer_begun()):
            head = b"HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
            self.transport.write(head % (status, len(reason)) + reason)
        self.transport.close()

    def _answer_begun(self) -> bool:
        return self.cycle is not None and self.cycle.response_started


def bounded(bounds: Bounds = DEFAULT_BOUNDS) -> type[Any]:
    """For `http` of uvicorn.Config."""
    return type("BoundedProtocol", (BoundedProtocol,), {"bounds": bounds})
