"""A client connection on a socket that never blocks: connecting, writing, reading, and how it ended."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from selectors import EVENT_READ, EVENT_WRITE
from time import monotonic_ns
from typing import Final, Protocol, TypeAlias

from vivace.send.call import Buffer
from vivace.send.connection import Connection, ProtocolError
from vivace.send.tls import TlsStream, explain

MOST_BUFFERS: Final = 512
"""In one write; the system allows 1024."""

Address: TypeAlias = "tuple[socket.AddressFamily, tuple[object, ...]]"
"""Family, and name as the socket module has it."""


@dataclass(frozen=True, slots=True)
class Secret:
    """How a link is made secret: the context, and the name that the target must have."""

    context: ssl.SSLContext
    name: str
    alpn: str
    alpn_required: bool
    """Whether a target that agrees on nothing is none."""


class Stream(Protocol):
    """A connected socket, plain or not; BlockingIOError when it has to be waited for."""

    def write(self, buffers: Sequence[Buffer]) -> int:
        """How many bytes were written."""

    def read_into(self, room: memoryview) -> int:
        """How many bytes were read; 0 at the end."""


class PlainStream:
    """A socket as it is."""

    def __init__(self, plain: socket.socket) -> None:
        self.write = plain.sendmsg
        self.read_into = plain.recv_into


class Link:
    """One attempt at a connection, from the first packet to its loss."""

    def __init__(self, address: Address, connection: Connection, secret: Secret | None = None) -> None:
        family, name = address
        self.connection = connection
        self.lost: str | None = None
        """Why it is of no use any more."""
        self.events = EVENT_WRITE
        """What it waits for."""
        self._stream: Stream | None = None
        self._secret = secret
        self._secured: ssl.SSLSocket | None = None
        self._heard_ns = monotonic_ns()
        self._asked = False
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = self._socket.fileno()
        """The socket's, for a selector."""
        code = self._socket.connect_ex(name)
        if code not in {0, errno.EINPROGRESS}:
            self._lose(f"failed to connect: {os.strerror(code)}")

    @property
    def welcomed(self) -> bool:
        """Whether it ever was of use."""
        return self._stream is not None and self.connection.ready

    @property
    def welcome(self) -> bool:
        """Whether requests can be written."""
        return self.welcomed and self.lost is None

    def act(self, events: int) -> None:
        """Does what the socket is ready for."""
        if self._stream is None:
            self._establish()
            return
        if events & EVENT_WRITE:
            self.events = EVENT_READ
        if events & EVENT_READ:
            self._read()
        self.flush()

    def flush(self) -> None:
        """Writes as much as the socket takes."""
        stream = self._stream
        while stream is not None and not self.events & EVENT_WRITE and self.lost is None:
            buffers = self.connection.output()[:MOST_BUFFERS]
            if not buffers:
                return
            try:
                self.connection.written(stream.write(buffers))
            except BlockingIOError:
                self.events = EVENT_READ | EVENT_WRITE
            except OSError as error:
                self._read()  # its last words may say why
                self._lose(f"connection lost: {self._words(error)}")

    def check_alive(self, now_ns: int, silence_ns: int) -> None:
        """A peer that owes an answer and is silent for so long is asked for a sign of life, and then given up."""
        if now_ns - self._heard_ns < silence_ns or not self.connection.calls():
            return
        if self._asked:
            self._lose("connection lost: no sign of life from the target")
            return
        self._asked = self.connection.ping()
        self._heard_ns = now_ns
        self.flush()

    def close(self) -> None:
        self._lose("connection closed")

    def _establish(self) -> None:
        """Goes on with connecting, and then with the TLS handshake."""
        if self._secured is None:
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._lose(f"failed to connect: {os.strerror(code)}")
                return
            if self._secret is None:
                self._begin(PlainStream(self._socket))
                return
        try:
            self._secure(self._secret)
        except ssl.SSLWantReadError:
            self.events = EVENT_READ
        except ssl.SSLWantWriteError:
            self.events = EVENT_WRITE
        except OSError as error:
            self._lose(f"failed to connect: {self._words(error)}")

    def _secure(self, secret: Secret | None) -> None:
        assert secret is not None  # noqa: S101 - the caller looked
        if self._secured is None:
            self._secured = secret.context.wrap_socket(
                self._socket, server_hostname=secret.name, do_handshake_on_connect=False
            )
            self._socket = self._secured
        self._secured.do_handshake()
        if secret.alpn_required and self._secured.selected_alpn_protocol() != secret.alpn:
            self._lose(
                "failed to connect: the target does not speak gRPC over TLS there; choose another protocol or port"
            )
            return
        self._begin(TlsStream(self._secured))

    def _begin(self, stream: Stream) -> None:
        self._stream = stream
        self.events = EVENT_READ
        self.flush()

    def _read(self) -> None:
        """Reads what is there."""
        assert self._stream is not None  # noqa: S101 - the callers looked
        while self.lost is None:
            try:
                room = self.connection.room()
                size = self._stream.read_into(room)
            except BlockingIOError:
                return
            except OSError as error:
                self._lose(f"connection lost: {self._words(error)}")
                return
            self._heard_ns, self._asked = monotonic_ns(), False
            self._take(size)
            if size < len(room) and self._secured is None:
                return

    def _take(self, size: int) -> None:
        try:
            if size:
                self.connection.take(size)
            else:
                self.connection.finish()
                self._lose("connection lost: closed by the target")
        except ProtocolError as error:
            self._lose(f"connection given up: {error}")

    def _words(self, error: OSError) -> str:
        if self._secret is not None and isinstance(error, ssl.SSLError | ConnectionResetError):
            return explain(error, self._secret.name)
        return error.strerror or str(error)

    def _lose(self, why: str) -> None:
        if self.lost is None:
            self.lost = why
            self._socket.close()
