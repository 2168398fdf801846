"""One port for HTTP/1.1 and gRPC, plain and with TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import grpc
import pytest
import trustme
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from vivace.backend.query.shared_port import shared_port

LARGE = 3 << 20


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"hello {len(await request.body())}")


async def doubled(request: bytes, _context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
    return request + request


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server on a free port, whose number is given."""
    listener = socket.create_server(("127.0.0.1", 0))
    started, stopping = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(serve(listener, tls, started, stopping)), daemon=True)
    thread.start()
    assert started.wait(30)
    try:
        yield listener.getsockname()[1]
    finally:
        stopping.set()
        thread.join(30)
        listener.close()
        assert not thread.is_alive()


async def serve(
    listener: socket.socket, tls: ssl.SSLContext | None, started: threading.Event, stopping: threading.Event
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "grpc")
        inner = grpc.aio.server(options=[("grpc.max_receive_message_length", 2 * LARGE)])
        method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(doubled)
        inner.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Echo", {"Double": method})])
        inner.add_insecure_port(f"unix:{path}")
        await inner.start()
        config = uvicorn.Config(
            Starlette(routes=[Route("/hello", hello, methods=["GET", "POST"])]),
            http=shared_port(path),
            lifespan="off",
            log_level="error",
        )
        config.load()
        config.ssl = tls
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        started.set()
        await asyncio.to_thread(stopping.wait)
        await asyncio.gather(inner.stop(1), server.shutdown(sockets=[listener]))
        await asyncio.sleep(0.3)  # in which TLS says goodbye


def double(channel: grpc.Channel, request: bytes) -> bytes:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Echo/Double")
    return call(request, timeout=30, wait_for_ready=True)


def options() -> list[tuple[str, int]]:
    return [("grpc.max_receive_message_length", 3 * LARGE), ("grpc.use_local_subchannel_pool", 1)]


def test_both_protocols_are_spoken_on_one_port() -> None:
    with serving() as port:
        with closing(urllib.request.urlopen(f"http://127.0.0.1:{port}/hello", b"x" * 100_000, timeout=30)) as answer:
            assert answer.read() == b"hello 100000"
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=options()) as channel:
            assert double(channel, b"ab") == b"abab"
            large = bytes(LARGE)
            assert double(channel, large) == large + large


def test_a_preface_in_pieces_and_a_method_that_begins_like_it() -> None:
    with serving() as port:
        for first in (b"P", b"PO"):
            with socket.create_connection(("127.0.0.1", port), timeout=30) as caller:
                caller.sendall(first)
                caller.sendall(
                    b"POST /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\nxy"[len(first) :]
                )
                assert caller.makefile("rb").read().endswith(b"hello 2")
        with socket.create_connection(("127.0.0.1", port), timeout=30) as caller:
            for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0":
                caller.sendall(bytes([byte]))
            assert caller.recv(9)[3] == 4, "the server's SETTINGS"


def test_both_protocols_are_spoken_with_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server_side)
    server_side.set_alpn_protocols(["http/1.1", "h2"])
    trusted = authority.cert_pem.bytes()
    client_side = ssl.create_default_context(cadata=trusted.decode())
    client_side.set_alpn_protocols(["h2", "http/1.1"])
    with serving(server_side) as port:
        url = f"https://localhost:{port}/hello"
        with closing(urllib.request.urlopen(url, timeout=30, context=client_side)) as answer:
            assert answer.read() == b"hello 0"
        credentials = grpc.ssl_channel_credentials(trusted)
        with grpc.secure_channel(f"localhost:{port}", credentials, options=options()) as channel:
            assert double(channel, b"ab") == b"abab"


@pytest.mark.parametrize("sent", [b"", b"PR", b"PRI"])
def test_who_hangs_up_early_disturbs_nobody(sent: bytes) -> None:
    with serving() as port:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port), timeout=30) as caller:
                caller.sendall(sent)
        with closing(urllib.request.urlopen(f"http://127.0.0.1:{port}/hello", timeout=30)) as answer:
            assert answer.read() == b"hello 0"
