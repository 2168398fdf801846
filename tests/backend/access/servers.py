"""Real servers over HTTP and gRPC that say "hello" to whoever may call."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread

import grpc
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from vivace.backend.access.access import Access
from vivace.backend.access.connections import DEFAULT_BOUNDS, Bounds
from vivace.backend.access.rpc import bind


@dataclass
class Ports:
    """Where they listen."""

    http: int = 0
    grpc: int = 0
    noted: int = 0
    """How many requests to /noted were executed."""


async def hello(request: Request) -> Response:
    body = await request.body()
    return PlainTextResponse(f"hello {len(body)} {request.query_params.get('much', '')}" * (1 + len(body) // 100))


async def much(_: Request) -> Response:
    return Response(bytes(64 << 20))


async def greet(request: bytes, _: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
    return b"hello " + request


class Server(uvicorn.Server):
    """That leaves signals alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def serving(access: Access, bounds: Bounds = DEFAULT_BOUNDS) -> Iterator[Ports]:
    """Servers in a thread of their own."""
    ports, ready = Ports(), Event()

    async def note(_: Request) -> Response:
        ports.noted += 1
        return Response()

    routes = [Route("/hello", hello, methods=["GET", "POST"]), Route("/ready", hello), Route("/much", much)]
    routes.append(Route("/noted", note))
    listener = socket.create_server(("127.0.0.1", 0))
    http = Server(access.uvicorn_config(Starlette(routes=routes), 1, bounds))
    ports.http = listener.getsockname()[1]

    async def serve() -> None:
        server = grpc.aio.server(interceptors=access.interceptors())
        method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(greet)
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test", {"greet": method})])
        ports.grpc = bind(server, "127.0.0.1:0", "--grpc", access.tls).port
        await server.start()
        ready.set()
        await http.serve(sockets=[listener])
        await server.stop(0)

    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(20)
        yield ports
    finally:
        http.should_exit = True
        thread.join(20)
        listener.close()
