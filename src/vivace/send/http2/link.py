"""A client connection on a socket that never blocks: connecting, writing, reading, and how it ended."""

from __future__ import annotations

import errno
import os
import socket
from time import monotonic_ns
from typing import Final, TypeAlias

from vivace.send.http2.client import ClientConnection
from vivace.send.http2.frames import FrameReader, ProtocolError

MOST_BUFFERS: Final = 512
"""In one write; the system allows 1024."""

Address: TypeAlias = "tuple[socket.AddressFamily, tuple[object, ...]]"
"""Family, and name as the socket module has it."""


class Link:
    """One attempt at a connection, from the first packet to its loss."""

    def __init__(self, address: Address, connection: ClientConnection) -> None:
        family, name = address
        self.connection = connection
        self.connected = False
        self.lost: str | None = None
        """Why it is of no use any more."""
        self._heard_ns = monotonic_ns()
        self._asked = False
        self._reader = FrameReader()
        self._blocked = True
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = self._socket.connect_ex(name)
        if code not in {0, errno.EINPROGRESS}:
            self._lose(f"failed to connect: {os.strerror(code)}")

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def wants_to_write(self) -> bool:
        """Whether it waits for the socket to take more."""
        return self._blocked

    def can_write(self) -> None:
        """The socket takes more (or, at first, is connected or not)."""
        if not self.connected:
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._lose(f"failed to connect: {os.strerror(code)}")
                return
            self.connected = True
        self._blocked = False
        self.flush()

    def flush(self) -> None:
        """Writes as much as the socket takes."""
        while not self._blocked and self.lost is None:
            buffers = self.connection.output()[:MOST_BUFFERS]
            if not buffers:
                return
            try:
                self.connection.written(self._socket.sendmsg(buffers))
            except BlockingIOError:
                self._blocked = True
            except OSError as error:
                self.can_read()  # its last words may say why
                self._lose(f"connection lost: {error.strerror}")

    def can_read(self) -> None:
        """Reads what is there."""
        while self.lost is None:
            room = self._reader.room()
            try:
                size = self._socket.recv_into(room)
            except BlockingIOError:
                return
            except OSError as error:
                self._lose(f"connection lost: {error.strerror}")
                return
            self._heard_ns, self._asked = monotonic_ns(), False
            if not size:
                self._lose("connection lost: closed by the target")
                return
            try:
                self.connection.received(self._reader.received(size))
            except ProtocolError as error:
                self._lose(f"connection given up: {error}")
            if size < len(room):
                return

    def check_alive(self, now_ns: int, silence_ns: int) -> None:
        """A peer that owes an answer and is silent for so long is asked for a sign of life, and then given up."""
        if now_ns - self._heard_ns < silence_ns or not self.connection.calls():
            return
        if self._asked:
            self._lose("connection lost: no sign of life from the target")
            return
        self._asked = True
        self._heard_ns = now_ns
        self.connection.ping()
        self.flush()

    def close(self) -> None:
        self._lose("connection closed")

    def _lose(self, why: str) -> None:
        if self.lost is None:
            self.lost = why
            self._socket.close()
