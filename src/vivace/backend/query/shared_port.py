"""HTTP/1.1 and gRPC on one port, told apart by a connection's first bytes.

Grafana asks for streams at the address of the HTTP API. Who begins with HTTP/2's preface is let through to the gRPC
server as it is; all others are answered here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

from vivace.backend.access.connections import DEFAULT_BOUNDS, BoundedProtocol, Bounds

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
ENOUGH: Final = 3
"""Bytes that tell the preface from every method of HTTP/1.1."""
BUFFERED: Final = 1 << 20
"""What waits in one direction before the other side is told to wait."""


class _SharedPort(BoundedProtocol):
    """A connection of which nobody knows yet what will be spoken on it."""

    grpc: Path
    """The Unix socket of the gRPC server."""
    _begun: bytes | None = b""
    _tunnel: _End | None = None

    def data_received(self, data: bytes) -> None:
        """Looks at the first bytes; all others are HTTP's."""
        if self._begun is None:
            super().data_received(data)
            return
        if self.transport.is_closing():  # it was turned away
            return
        self._begun += data
        if len(self._begun) < ENOUGH:
            return
        begun, self._begun = self._begun, None
        if begun.startswith(PREFACE[:ENOUGH]):
            self._let_through(begun)
        else:
            super().data_received(begun)

    def shutdown(self) -> None:
        """What is let through ends when the gRPC server ends it."""
        if self._tunnel is None:
            super().shutdown()

    def _let_through(self, begun: bytes) -> None:
        self.let_go()
        self._unset_keepalive_if_required()
        self._tunnel = _End(self.transport, begun, lambda: self.connections.discard(self))
        self.transport.set_protocol(self._tunnel)
        self.transport.pause_reading()
        self._tunnel.task = asyncio.ensure_future(_connect(self._tunnel, self.grpc))


class _End(asyncio.Protocol):
    """One end of a tunnel: what arrives here is written at the other end, as fast as that takes it."""

    def __init__(
        self,
        transport: asyncio.Transport | None = None,
        begun: bytes = b"",
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self.transport = transport
        self.begun = begun
        self.ended = ended
        self.other: _End | None = None
        self.task: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._at_the_other(lambda transport: transport.write(data))

    def connection_lost(self, _error: Exception | None) -> None:
        self.transport = None
        self.ended()
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


def shared_port(grpc: Path, bounds: Bounds = DEFAULT_BOUNDS) -> type[Any]:
    """What uvicorn takes as `http`: HTTP within bounds, and gRPC let through to a Unix socket."""
    return type("SharedPort", (_SharedPort,), {"grpc": grpc, "bounds": bounds})
