"""Senders that take their time, or more than their share."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread

import grpc
import pytest
from tests.backend.receive.conftest import EXPORT, Receiver, highest_memory
from tests.backend.receive.frames import called, frame, send_flow_controlled
from tests.backend.store.sample import request

from vivace.backend.access.access import Access
from vivace.backend.receive.arrival import Arrivals
from vivace.backend.receive.commit import Committer
from vivace.backend.receive.figures import ReceiverFigures
from vivace.backend.receive.intake import Intake
from vivace.backend.receive.otlp_grpc import grpc_server
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.log import LogWriter
from vivace.backend.tenant.overrides import Overrides


@contextmanager
def serving(root: Path, arrivals: Arrivals) -> Iterator[int]:
    """The port of a gRPC server with bounds of its own, in a thread."""
    folder, ready, ports = DataFolder(root), Event(), list[int]()
    folder.create()
    stops: list[asyncio.Event] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        figures, overrides = ReceiverFigures(), Overrides()
        committer = Committer(LogWriter(folder.log), figures, overrides)
        intake = Intake(committer, figures, folder, 1 << 30, overrides, multitenancy=False)
        server, address = grpc_server(intake, "127.0.0.1:0", Access(), arrivals)
        await server.start()
        watch = asyncio.create_task(arrivals.watch())
        ports.append(address.port)
        stops.append(asyncio.Event())
        loops.append(asyncio.get_running_loop())
        ready.set()
        await stops[0].wait()
        watch.cancel()
        await server.stop(1)
        await asyncio.to_thread(committer.stop)

    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(20)
    try:
        yield ports[0]
    finally:
        loops[0].call_soon_threadsafe(stops[0].set)
        thread.join(20)


def begun(port: int) -> socket.socket:
    """A connection with a call of which the message has only begun."""
    connection = called(port)
    connection.sendall(frame(0, 0, 1, b"\0" + (1000).to_bytes(4) + b"x" * 10))
    return connection


def refused(connection: socket.socket, words: bytes) -> bool:
    """Waits until the call is answered with words."""
    received = b""
    while words not in received:
        part = connection.recv(1 << 16)
        if not part:
            return False
        received += part
    return True


def test_a_message_that_does_not_arrive_is_given_up(tmp_path: Path) -> None:
    with serving(tmp_path, Arrivals(quick_s=0.2, slow_s=0.6)) as port, closing(begun(port)) as connection:
        assert refused(connection, b"the request did not arrive within 0.6 s")


def test_few_messages_may_arrive_slowly(tmp_path: Path) -> None:
    with serving(tmp_path, Arrivals(quick_s=0.2, slow_s=600.0, most_slow=2)) as port:
        early = [begun(port) for _ in range(2)]
        time.sleep(0.1)
        with closing(begun(port)) as late:
            assert refused(late, b"arrive slowly; send again later")
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EXPORT)
            assert export(request(1), timeout=20) == b""
        for connection in early:
            connection.close()


def test_a_call_without_a_message_is_refused(refusing: Receiver) -> None:
    with grpc.insecure_channel(refusing.grpc_address) as channel:
        export: grpc.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(EXPORT)
        with pytest.raises(grpc.RpcError, match="the call has no request") as error:
            export(iter(()), timeout=20)
        assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_large_metadata_are_refused(refusing: Receiver) -> None:
    with pytest.raises(grpc.RpcError) as error:
        refusing.send(request(1), metadata=(("padding", "x" * 40_000),))
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_who_pings_all_the_time_is_sent_away(refusing: Receiver) -> None:
    host, _, port = refusing.grpc_address.rpartition(":")
    with closing(socket.create_connection((host, int(port)), timeout=20)) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0))
        connection.sendall(4 * frame(6, 0, 0, bytes(8)))
        try:
            assert refused(connection, b"too_many_pings")
        except ConnectionError:
            return  # sent away before it could be said why


def test_a_bomb_is_not_unpacked_further_than_the_limit(refusing: Receiver) -> None:
    bomb = gzip.compress(bytes(512 << 20), 1)
    with closing(called(int(refusing.grpc_address.rpartition(":")[2]), gzip=True)) as connection:
        send_flow_controlled(connection, b"\1" + len(bomb).to_bytes(4) + bomb)
        assert refused(connection, b"grpc-status\x018")
    assert highest_memory(refusing.pid) < 512 << 20
    assert refusing.logged() is None


def test_a_client_that_leaves_does_no_harm(receiver: Receiver) -> None:
    port = int(receiver.grpc_address.rpartition(":")[2])
    for _ in range(5):
        connection = begun(port)
        time.sleep(0.02)
        connection.close()
    assert receiver.send(request(1)) == b""
