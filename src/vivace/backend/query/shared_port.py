"""HTTP/1.1 and gRPC on one port, told apart by a connection's first bytes.

Grafana asks for streams at the address of the HTTP API. Who begins with HTTP/2's preface is let through to the gRPC
server as it is; all others are answered here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
ENOUGH: Final = 3
"""Bytes that tell the preface from every method of HTTP/1.1."""
BUFFERED: Final = 1 << 20
"""What waits in one direction before the other side is told to wait."""


class SharedPort(H11Protocol):
    """A connection of which nobody knows yet what will be spoken on it."""

    def __init__(self, grpc: Path, **given: Any) -> None:
        """`grpc` is the Unix socket of the gRPC server; the rest is what uvicorn gives its protocols."""
        super().__init__(**given)
        self._grpc = grpc
        self._begun: bytes | None = b""

    def data_received(self, data: bytes) -> None:
        """Looks at the first bytes; all others are HTTP's."""
        if self._begun is None:
            super().data_received(data)
            return
        self._begun += data
        if len(self._begun) < ENOUGH:
            return
        begun, self._begun = self._begun, None
        if begun.startswith(PREFACE[:ENOUGH]):
            self._let_through(begun)
        else:
            super().data_received(begun)

    def _let_through(self, begun: bytes) -> None:
        self.connections.discard(self)
        self._unset_keepalive_if_required()
        transport = self.transport
        caller = _End(transport, begun)
        transport.set_protocol(caller)
        transport.pause_reading()
        caller.task = asyncio.ensure_future(_connect(caller, self._grpc))


class _End(asyncio.Protocol):
    """One end of a tunnel: what arrives here is written at the other end, as fast as that takes it."""

    def __init__(self, transport: asyncio.Transport | None = None, begun: bytes = b"") -> None:
        self.transport = transport
        self.begun = begun
        self.other: _End | None = None
        self.task: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._at_the_other(lambda transport: transport.write(data))

    def connection_lost(self, _error: Exception | None) -> None:
        self.transport = None
        self._at_the_other(lambda transport: transport.close())

    def pause_writing(self) -> None:
        self._at_the_other(lambda transport: transport.pause_reading())

    def resume_writing(self) -> None:
        self._at_the_other(lambda transport: transport.resume_reading())

    def _at_the_other(self, act: Callable[[asyncio.Transport], None]) -> None:
        if self.other is not None and self.other.transport is not None:
            act(self.other.transport)


async def _connect(caller: _End, grpc: Path) -> None:
    """Joins both ends; a caller for whom no server is there is hung up on."""
    try:
        _, server = await asyncio.get_running_loop().create_unix_connection(_End, str(grpc))
    except OSError:
        if caller.transport is not None:
            caller.transport.close()
        return
    if caller.transport is None or server.transport is None:
        if server.transport is not None:
            server.transport.close()
        return
    caller.other, server.other = server, caller
    for end in (caller.transport, server.transport):
        end.set_write_buffer_limits(BUFFERED)
    server.transport.write(caller.begun)
    caller.transport.resume_reading()


def shared_port(grpc: Path) -> type[asyncio.Protocol]:
    """What uvicorn takes as `http`: a protocol that lets gRPC through to a Unix socket."""
    return cast("type[asyncio.Protocol]", partial(SharedPort, grpc))
