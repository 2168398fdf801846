"""Servers of many kinds on loopback, and what every ledger must fulfil."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import grpc
import polars as pl

from vivace.send.protocol import METHODS

Behaviour = Callable[[bytes, grpc.ServicerContext], bytes]


class _Exports(grpc.GenericRpcHandler):
    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        if handler_call_details.method not in METHODS.values():
            return None
        return grpc.unary_unary_rpc_method_handler(self._behave)


@contextmanager
def grpc_server(behave: Behaviour, address: str = "127.0.0.1:0") -> Iterator[str]:
    """A server made with grpcio that answers each request as it is told; gives host:port."""
    options = [("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)]
    server = grpc.server(ThreadPoolExecutor(32), options=options)
    server.add_generic_rpc_handlers((_Exports(behave),))
    port = server.add_insecure_port(address)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=None).wait()


def acknowledge(_request: bytes, _context: grpc.ServicerContext) -> bytes:
    """The behaviour of a server that is content."""
    return b""


@contextmanager
def hanging_server(hangs: Callable[[bytes], bool]) -> Iterator[str]:
    """A server that acknowledges requests, but those that `hangs` only when it is left."""
    go_on = threading.Event()

    def behave(request: bytes, _context: grpc.ServicerContext) -> bytes:
        if hangs(request):
            go_on.wait(30)
        return b""

    with grpc_server(behave) as endpoint:
        try:
            yield endpoint
        finally:
            go_on.set()


@contextmanager
def socket_server(behave: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does with each connection as it is told, whatever the protocol; gives host:port."""
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                threads.append(threading.Thread(target=_quietly, args=(behave, connection)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            for one in (listener, *connections):
                _end(one)
            for thread in (acceptor, *threads):
                thread.join(10)
                assert not thread.is_alive()


def _quietly(behave: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with suppress(OSError):
        behave(connection)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextmanager
def nobody() -> Iterator[str]:
    """host:port where nobody listens, and nobody else will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def assert_books_balance(rows: pl.DataFrame) -> None:
    """A ledger holds each request once, and what came of it."""
    assert rows["request"].is_unique().all()
    assert rows["outcome"].is_in(["dropped", "acknowledged", "failed", "unknown"]).all()
    dropped = pl.col("outcome") == "dropped"
    sent = rows.filter(~dropped)
    assert sent.select(pl.col("started_ns", "ended_ns", "t0_ns").is_not_null().all()).row(0) == (True, True, True)
    assert rows.filter(dropped).select(pl.col("started_ns", "ended_ns", "t0_ns").is_null().all()).row(0) == (True,) * 3
    assert (sent["started_ns"] >= sent["due_ns"]).all()
    assert (sent["ended_ns"] >= sent["started_ns"]).all()
    acknowledged = rows.filter(pl.col("outcome") == "acknowledged")
    assert acknowledged["rejected"].is_not_null().all()
    assert (acknowledged["rejected"] <= acknowledged["items"]).all()
    assert rows.filter(pl.col("outcome") != "acknowledged")["rejected"].is_null().all()
