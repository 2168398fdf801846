"""OTLP over gRPC: the trace service with raw bytes."""

from __future__ import annotations

from typing import Final

import grpc

from vivace.backend.access.access import Access
from vivace.backend.access.address import Address
from vivace.backend.access.rpc import CONNECTION_BOUNDS, bind
from vivace.backend.receive.answer import DETAILS, NotTaken
from vivace.backend.receive.arrival import Arrivals
from vivace.backend.receive.intake import MESSAGE_BYTES, Intake
from vivace.backend.tenant.identity import HEADER

SERVICE: Final = "opentelemetry.proto.collector.trace.v1.TraceService"
TRANSPORT: Final = "grpc"
WINDOW_BYTES: Final = 4 << 20
"""What a connection may send ahead; fixed, which takes less CPU than measuring the connection all the time."""
_TENANT: Final = HEADER.lower()


def grpc_server(intake: Intake, address: str, access: Access, arrivals: Arrivals) -> tuple[grpc.aio.Server, Address]:
    """A server that is not started yet, and where it will listen. TargetError when the address cannot be used."""
    server = grpc.aio.server(
        interceptors=access.interceptors(),
        options=[
            *CONNECTION_BOUNDS,
            ("grpc.max_receive_message_length", MESSAGE_BYTES),
            ("grpc.so_reuseport", 0),  # so that a port in use is noticed
            ("grpc.http2.bdp_probe", 0),
            ("grpc.http2.lookahead_bytes", WINDOW_BYTES),
        ],
    )

    async def export(_: object, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        tenant = None
        try:
            tenant = intake.tenant(_header(context) if intake.multitenancy else None)
            taken = await intake.take(await arrivals.message(context), tenant, TRANSPORT)
            return taken.protobuf
        except NotTaken as error:
            refusal = error.with_traceback(None)  # it would keep the request as long as gRPC keeps what it aborts with
        intake.refuse(refusal, tenant, TRANSPORT)
        context.set_trailing_metadata(((DETAILS, refusal.status),))
        return await context.abort(refusal.cause.grpc_code, refusal.message)

    # as a stream of requests, though of one, so that the wait for it can be bounded
    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_unary_rpc_method_handler(export)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {"Export": method})])
    return server, bind(server, address, "--otlp-grpc", access.tls)


def _header(context: grpc.aio.ServicerContext[bytes, bytes]) -> str | None:
    for key, value in context.invocation_metadata() or ():
        if key == _TENANT:
            return value if isinstance(value, str) else value.decode(errors="replace")
    return None
