"""The server's side of an HTTP/2 connection, without a socket: unary gRPC requests come out, answers go in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from vivace.send.call import Field
from vivace.send.connection import ProtocolError
from vivace.send.http2.frames import (
    DEFAULT_WINDOW,
    LARGEST_WINDOW,
    Flag,
    Frame,
    Kind,
    Setting,
    content,
    frame,
    head,
    settings,
    window_update,
)
from vivace.send.http2.headers import HeaderReader, plain_block

LARGEST_FRAME: Final = 1 << 18
GRPC_PREFIX: Final = 5
OPENING: Final = ((b":status", b"200"), (b"content-type", b"application/grpc"))
OPENING_BLOCK: Final = plain_block(OPENING)
SUCCESS_BLOCK: Final = plain_block([(b"grpc-status", b"0")])


@dataclass(slots=True, eq=False)
class Request:
    """A request as far as it has come."""

    stream: int
    path: str
    size: int = 0
    """Bytes of the message."""
    body: bytearray = field(default_factory=bytearray)
    """The message, where it is kept."""


class ServerConnection:
    """What one client asks. Of its messages no more than the size is kept, unless they are to be read."""

    def __init__(self, keep_bodies: bool = False) -> None:
        self.requests: list[Request] = []
        """Those that are complete since this was last emptied."""
        self.output: list[bytes] = [
            settings({Setting.INITIAL_WINDOW_SIZE: LARGEST_WINDOW, Setting.MAX_FRAME_SIZE: LARGEST_FRAME}),
            window_update(0, LARGEST_WINDOW - DEFAULT_WINDOW),
        ]
        """To be written and then emptied by the owner."""
        self._keep_bodies = keep_bodies
        self._reader = HeaderReader()
        self._open: dict[int, Request] = {}
        self._block: tuple[int, int, bytes] | None = None
        self._consumed = 0

    def succeed(self, request: Request, message: bytes = b"") -> None:
        """Answers with status OK and a message."""
        stream, size = request.stream, len(message) + GRPC_PREFIX
        self.output += (
            head(len(OPENING_BLOCK), Kind.HEADERS, Flag.END_HEADERS, stream) + OPENING_BLOCK,
            head(size, Kind.DATA, 0, stream) + b"\0" + len(message).to_bytes(4, "big") + message,
            head(len(SUCCESS_BLOCK), Kind.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, stream) + SUCCESS_BLOCK,
        )

    def refuse(self, request: Request, status: int, words: str) -> None:
        """Answers with another status, by number, and why."""
        reason: list[Field] = [(b"grpc-status", str(status).encode()), (b"grpc-message", quote(words).encode())]
        block = plain_block([*OPENING, *reason])
        self.output.append(frame(Kind.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, request.stream, block))

    def received(self, frames: Iterable[Frame]) -> None:
        """Acts on what the client sent; ProtocolError when the connection is of no use any more."""
        for received in frames:
            if self._block is not None and received.kind != Kind.CONTINUATION:
                raise ProtocolError("headers that do not end")
            self._receive(received)

    def _receive(self, received: Frame) -> None:
        match received.kind:
            case Kind.DATA:
                self._on_data(received)
            case Kind.HEADERS:
                self._on_block(received.stream, received.flags, bytes(content(received)))
            case Kind.SETTINGS if not received.flags & Flag.ACK:
                self.output.append(frame(Kind.SETTINGS, Flag.ACK))
            case Kind.PING if not received.flags & Flag.ACK:
                self.output.append(frame(Kind.PING, Flag.ACK, payload=bytes(received.payload)))
            case Kind.RST_STREAM:
                self._open.pop(received.stream, None)
            case Kind.CONTINUATION:
                self._on_continuation(received)

    def _on_block(self, stream: int, flags: int, block: bytes) -> None:
        if not flags & Flag.END_HEADERS:
            self._block = (stream, flags, block)
            return
        path = dict(self._reader.read(block)).get(b":path", b"")
        self._open.setdefault(stream, Request(stream, path.decode("ascii", "replace"), -GRPC_PREFIX))
        if flags & Flag.END_STREAM:
            self._complete(stream)

    def _on_continuation(self, received: Frame) -> None:
        if self._block is None or self._block[0] != received.stream:
            raise ProtocolError("headers continue that had not begun")
        stream, flags, block = self._block
        self._block = None
        self._on_block(stream, flags | received.flags & Flag.END_HEADERS, block + bytes(received.payload))

    def _on_data(self, received: Frame) -> None:
        self._consumed += len(received.payload)
        if self._consumed > LARGEST_WINDOW // 2:
            self.output.append(window_update(0, self._consumed))
            self._consumed = 0
        request = self._open.get(received.stream)
        if request is None:
            return
        data = content(received)
        request.size += len(data)
        if self._keep_bodies:
            request.body += data
        if received.flags & Flag.END_STREAM:
            self._complete(received.stream)

    def _complete(self, stream: int) -> None:
        request = self._open.pop(stream)
        del request.body[:GRPC_PREFIX]
        self.requests.append(request)
