"""What runs in a sink's process: connections, requests, counters; one thread, no locks."""

from __future__ import annotations

import selectors
import socket
from dataclasses import dataclass
from enum import IntEnum
from multiprocessing.connection import Connection
from typing import Final

import numpy as np

from vivace.errors import TemplateError
from vivace.send.answer import STATUSES
from vivace.send.connection import ProtocolError
from vivace.send.http2.frames import PREFACE, FrameReader
from vivace.send.http2.server import LARGEST_FRAME, Request, ServerConnection
from vivace.send.protocol import METHODS
from vivace.send.shared import SharedWords, Words, words_of
from vivace.telemetry.template import Signal
from vivace.telemetry.wire import Message, scan

ROOM: Final = 1 << 20
"""Bytes that are received at once."""
KNOWN: Final = frozenset(METHODS.values())
SPANS_ONLY: Final = Message(
    {1: ("resource_spans", Message({2: ("scope_spans", Message({2: ("spans", Message({}))}))}))}
)


class Counter(IntEnum):
    """In shared memory."""

    REQUESTS = 0
    BYTES = 1
    SPANS = 2


COUNTERS: Final = len(Counter)


@dataclass(frozen=True, slots=True)
class Receiver:
    """One process of a sink."""

    address: str
    count_spans: bool
    share_port: bool

    def run(self, shared: SharedWords, orders: Connection) -> None:
        """Receives until the other end of `orders` is closed."""
        host, _, port = self.address.rpartition(":")
        try:
            listener = _listen(host.strip("[]"), int(port), self.share_port)
        except OSError:
            orders.send(None)
            return
        with listener, selectors.DefaultSelector() as selector:
            selector.register(orders, selectors.EVENT_READ)
            selector.register(listener, selectors.EVENT_READ)
            orders.send(f"{host}:{listener.getsockname()[1]}")
            self._serve(selector, listener, orders, words_of(shared))

    def _serve(
        self, selector: selectors.BaseSelector, listener: socket.socket, orders: Connection, counts: Words
    ) -> None:
        while True:
            for key, events in selector.select():
                if key.fileobj is orders:
                    return
                if key.fileobj is listener:
                    client = Client(listener.accept()[0], counts, self.count_spans)
                    selector.register(client, selectors.EVENT_READ)
                elif isinstance(key.fileobj, Client):
                    _attend(selector, key.fileobj, events)


class Client:
    """A connection to a sink."""

    def __init__(self, connection: socket.socket, counts: Words, count_spans: bool) -> None:
        self._socket = connection
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._counts = counts
        self._count_spans = count_spans
        self._reader = FrameReader(LARGEST_FRAME, ROOM, PREFACE)
        self._connection = ServerConnection(keep_bodies=count_spans)
        self._unwritten = b""

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> bool:
        """Takes what has come, counts and answers it; False when the connection is at its end."""
        try:
            size = self._socket.recv_into(self._reader.room())
            self._connection.received(self._reader.received(size))
        except BlockingIOError:
            return True
        except (OSError, ProtocolError):
            return False
        for request in self._connection.requests:
            self._take(request)
        self._connection.requests.clear()
        return size > 0 and self.write()

    def write(self) -> bool:
        """Writes what the socket takes; False when the connection is at its end."""
        self._unwritten += b"".join(self._connection.output)
        self._connection.output.clear()
        if not self._unwritten:
            return True
        try:
            self._unwritten = self._unwritten[self._socket.send(self._unwritten) :]
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True

    @property
    def wants_to_write(self) -> bool:
        return bool(self._unwritten)

    def close(self) -> None:
        self._socket.close()

    def _take(self, request: Request) -> None:
        if request.path not in KNOWN:
            self._connection.refuse(request, STATUSES.index("UNIMPLEMENTED"), f"no such method: {request.path}")
            return
        if self._count_spans and request.path == METHODS[Signal.TRACES]:
            try:
                self._counts[Counter.SPANS] += span_count(request.body)
            except TemplateError as error:
                self._connection.refuse(request, STATUSES.index("INVALID_ARGUMENT"), str(error))
                return
        self._counts[Counter.REQUESTS] += 1
        self._counts[Counter.BYTES] += request.size
        self._connection.succeed(request)


def span_count(request: bytes | bytearray) -> int:
    """Spans in an ExportTraceServiceRequest; TemplateError when it is none."""
    found = scan(np.frombuffer(request, np.uint8), SPANS_ONLY, "request")
    return found["spans"].start.size


def _attend(selector: selectors.BaseSelector, client: Client, events: int) -> None:
    """Lets a client's connection read and write; forgets it when it has ended."""
    alive = client.write() if events & selectors.EVENT_WRITE else True
    if alive and events & selectors.EVENT_READ:
        alive = client.read()
    if not alive:
        selector.unregister(client)
        client.close()
        return
    wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.wants_to_write else 0)
    if selector.get_key(client).events != wanted:
        selector.modify(client, wanted)


def _listen(host: str, port: int, share_port: bool) -> socket.socket:
    family, kind, _, _, name = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if share_port:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind(name)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener
