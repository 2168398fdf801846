"""Over gRPC: calls without a good token are refused before anything is read of them; and opening a server's port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import grpc

from vivace.backend.access.address import Address, address, hindrance, refused
from vivace.backend.access.http import UNAUTHORIZED
from vivace.backend.access.tls import ServerTls
from vivace.backend.access.tokens import Tokens

CONNECTION_BOUNDS: Final[tuple[tuple[str, int], ...]] = (
    ("grpc.max_allowed_incoming_connections", 1024),
    ("grpc.max_concurrent_streams", 1024),
    ("grpc.server_handshake_timeout_ms", 20_000),
    ("grpc.max_connection_idle_ms", 600_000),
    ("grpc.keepalive_time_ms", 60_000),  # whoever does not answer a ping within 20 s has gone
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),  # whoever pings more often is sent away
    ("grpc.http2.max_ping_strikes", 2),
    ("grpc.max_metadata_size", 16 << 10),
    ("grpc.absolute_max_metadata_size", 16 << 10),
)
"""Options of a server that bound what a connection may do."""

if TYPE_CHECKING:
    _Handler = grpc.RpcMethodHandler[Any, Any]


class BearerTokensInterceptor(grpc.aio.ServerInterceptor):
    """Refuses calls."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler | None:
        """Passes on what may pass."""
        metadata = handler_call_details.invocation_metadata
        shown = next((value for key, value in metadata if key == "authorization"), None)
        if self._tokens.allows(shown if isinstance(shown, str) else None):
            return await continuation(handler_call_details)
        return _REFUSAL


async def _refuse(_: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]) -> AsyncIterator[bytes]:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, UNAUTHORIZED)
    yield b""


_REFUSAL: Final[_Handler] = grpc.stream_stream_rpc_method_handler(_refuse)
"""A stream, whatever was called: nothing of the request is waited for."""


def bind(server: grpc.aio.Server, text: str, flag: str, tls: ServerTls | None) -> Address:
    """Has a server listen; returns the real address. ConfigurationError or TargetError when it cannot be."""
    wanted = address(text, flag)
    try:
        if tls is None:
            port = server.add_insecure_port(str(wanted))
        else:
            port = server.add_secure_port(str(wanted), tls.grpc_credentials())
    except RuntimeError as error:  # which does not say why
        raise refused(text, flag, hindrance(wanted) or "it cannot be bound") from error
    return Address(wanted.host, port)
