"""OTLP over gRPC: the trace service with raw bytes."""

from __future__ import annotations

from typing import Final

import grpc

from vivace.backend.receive.answer import DETAILS, NotTaken
from vivace.backend.receive.intake import MESSAGE_BYTES, Intake
from vivace.errors import TargetError

SERVICE: Final = "opentelemetry.proto.collector.trace.v1.TraceService"
TRANSPORT: Final = "grpc"
WINDOW_BYTES: Final = 4 << 20
"""What a connection may send ahead; fixed, which takes less CPU than measuring the connection all the time."""
_EMPTY: Final = b""
"""An ExportTraceServiceResponse without a partial success: everything was taken."""


def grpc_server(intake: Intake, address: str) -> tuple[grpc.aio.Server, int]:
    """A server that is not started yet, and its port. TargetError when the address cannot be used."""
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", MESSAGE_BYTES),
            ("grpc.so_reuseport", 0),  # so that a port in use is noticed
            ("grpc.http2.bdp_probe", 0),
            ("grpc.http2.lookahead_bytes", WINDOW_BYTES),
        ]
    )

    async def export(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        try:
            await intake.take(request, TRANSPORT)
        except NotTaken as refusal:
            context.set_trailing_metadata(((DETAILS, refusal.status),))
            await context.abort(refusal.cause.grpc_code, refusal.message)
        return _EMPTY

    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(export)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {"Export": method})])
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise TargetError(
            f"--otlp-grpc {address}: cannot listen there ({error}); choose a free port, or end what uses it"
        ) from error
    return server, port
