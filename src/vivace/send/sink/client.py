"""A connection to a sink: finds out which protocol is spoken, over TLS or not, and answers when it is time to."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE
from typing import TypeAlias

from vivace.send.connection import ProtocolError
from vivace.send.http2.frames import PREFACE
from vivace.send.link import PlainStream, Stream
from vivace.send.sink.fate import Fate
from vivace.send.sink.grpc_server import ServerConnection as GrpcServer
from vivace.send.sink.http_server import ServerConnection as HttpServer
from vivace.send.sink.request import Reply, Request, Server
from vivace.send.sink.taking import Taking
from vivace.send.tls import TlsStream

MOST_BUFFERS = 512
TELLING = 4
"""So many bytes tell the protocols apart."""

Later: TypeAlias = "Callable[[Client, Request, Reply], None]"
"""Calls the client's answer() when the delay is over."""


class Client:
    """What one socket asks of a sink."""

    def __init__(self, plain: socket.socket, taking: Taking, later: Later, context: ssl.SSLContext | None) -> None:
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = plain.fileno()
        """The socket's, for a selector."""
        self.alive = True
        self.events = EVENT_READ
        """What it waits for."""
        self._socket = plain
        self._secured: ssl.SSLSocket | None = None
        self._stream: Stream | None = None
        self._taking = taking
        self._later = later
        self._server: Server | None = None
        self._first = bytearray(64)
        self._heard = 0
        if context is None:
            self._stream = PlainStream(plain)
        else:
            self._secured = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
            self._socket = self._secured

    def act(self, events: int) -> None:
        """Does what the socket is ready for."""
        try:
            if self._stream is None:
                self._shake_hands()
            elif events & EVENT_READ:
                self._read(self._stream)
            self.write()
        except (OSError, ProtocolError):
            self.close()

    def answer(self, request: Request, reply: Reply) -> None:
        """Writes an answer, unless the connection has ended."""
        if self.alive and self._server is not None:
            self._server.reply(request, reply)
            self.act(0)

    def write(self) -> None:
        """Writes what the socket takes."""
        server, stream = self._server, self._stream
        if server is None or stream is None:
            return
        self.events = EVENT_READ
        while server.output:
            try:
                size = stream.write(server.output[:MOST_BUFFERS])
            except BlockingIOError:
                self.events = EVENT_READ | EVENT_WRITE
                return
            while server.output and size >= len(server.output[0]):
                size -= len(server.output.pop(0))
            if size:
                server.output[0] = memoryview(server.output[0])[size:]
        if server.closing:
            self.close()

    def close(self) -> None:
        self.alive = False
        self._socket.close()

    def _shake_hands(self) -> None:
        assert self._secured is not None  # noqa: S101 - without TLS there is a stream
        try:
            self._secured.do_handshake()
        except ssl.SSLWantReadError:
            self.events = EVENT_READ
        except ssl.SSLWantWriteError:
            self.events = EVENT_WRITE
        else:
            self._stream = TlsStream(self._secured)
            self.events = EVENT_READ
            self._read(self._stream)

    def _read(self, stream: Stream) -> None:
        """Takes what has come; over TLS all of it, since no event tells of what is left."""
        while self.alive:
            server = self._server
            room = memoryview(self._first)[self._heard :] if server is None else server.room()
            try:
                size = stream.read_into(room)
            except BlockingIOError:
                return
            if not size:
                self.close()
            elif server is None:
                self._tell(size)
            else:
                server.take(size)
                self._take_requests(server)
            if size < len(room) and self._secured is None:
                return

    def _tell(self, size: int) -> None:
        """Tells the protocol by its first words."""
        self._heard += size
        if self._heard < TELLING:
            return
        keep = self._taking.keeps_bodies
        is_grpc = PREFACE.startswith(bytes(self._first[: min(self._heard, len(PREFACE))]))
        self._server = GrpcServer(keep) if is_grpc else HttpServer(keep)
        self._server.room()[: self._heard] = self._first[: self._heard]
        self._server.take(self._heard)
        self._take_requests(self._server)

    def _take_requests(self, server: Server) -> None:
        while server.requests and self.alive:
            request = server.requests.pop(0)
            fate, reply, delayed = self._taking.take(request)
            if fate is Fate.DROPPED:
                self.write()  # what was answered before was
                self.close()
            elif fate is Fate.HUNG:
                continue
            elif delayed:
                self._later(self, request, reply)
            else:
                server.reply(request, reply)
