"""The server's side of an HTTP/2 connection, without a socket: unary gRPC requests come out, replies go in."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from vivace.send.call import Buffer, Field
from vivace.send.connection import ProtocolError
from vivace.send.http2.frames import (
    DEFAULT_WINDOW,
    LARGEST_WINDOW,
    PREFACE,
    Flag,
    Frame,
    FrameReader,
    Kind,
    Setting,
    content,
    frame,
    head,
    settings,
    window_update,
)
from vivace.send.http2.headers import HeaderReader, plain_block
from vivace.send.sink.messages import status_message, success_message
from vivace.send.sink.request import Reply, Request

LARGEST_FRAME: Final = 1 << 18
ROOM: Final = 1 << 20
"""Bytes that are received at once."""
GRPC_PREFIX: Final = 5
OPENING: Final = ((b":status", b"200"), (b"content-type", b"application/grpc"))
OPENING_BLOCK: Final = plain_block(OPENING)
SUCCESS_BLOCK: Final = plain_block([(b"grpc-status", b"0")])


class ServerConnection:
    """What one client asks. Of its messages no more than the size is kept, unless they are to be read."""

    def __init__(self, keep_bodies: bool = False) -> None:
        self.requests: list[Request] = []
        """Those that are complete since this was last emptied."""
        self.closing = False
        self.output: list[Buffer] = [
            settings({Setting.INITIAL_WINDOW_SIZE: LARGEST_WINDOW, Setting.MAX_FRAME_SIZE: LARGEST_FRAME}),
            window_update(0, LARGEST_WINDOW - DEFAULT_WINDOW),
        ]
        """To be written and then emptied by the owner."""
        self._keep_bodies = keep_bodies
        self._frames = FrameReader(LARGEST_FRAME, ROOM, PREFACE)
        self._reader = HeaderReader()
        self._open: dict[int, Request] = {}
        self._block: tuple[int, int, bytes] | None = None
        self._consumed = 0

    def reply(self, request: Request, reply: Reply) -> None:
        """Answers with a message, or with a status and why."""
        if reply.status is None:
            self._succeed(request.stream, success_message(reply))
            return
        reason: list[Field] = [
            (b"grpc-status", str(reply.status.grpc).encode()),
            (b"grpc-message", quote(reply.words).encode()),
        ]
        if reply.retry_after_s is not None:
            reason.append((b"grpc-status-details-bin", b64encode(status_message(reply)).rstrip(b"=")))
        block = plain_block([*OPENING, *reason])
        self.output.append(frame(Kind.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, request.stream, block))

    def _succeed(self, stream: int, message: bytes) -> None:
        size = len(message) + GRPC_PREFIX
        self.output += (
            head(len(OPENING_BLOCK), Kind.HEADERS, Flag.END_HEADERS, stream) + OPENING_BLOCK,
            head(size, Kind.DATA, 0, stream) + b"\0" + len(message).to_bytes(4, "big") + message,
            head(len(SUCCESS_BLOCK), Kind.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, stream) + SUCCESS_BLOCK,
        )

    def room(self) -> memoryview:
        """Where to receive into; never empty."""
        return self._frames.room()

    def take(self, size: int) -> None:
        """Acts on what was put into room(); ProtocolError when the connection is of no use any more."""
        self.received(self._frames.received(size))

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
        if stream not in self._open:
            self._open[stream] = _request(stream, dict(self._reader.read(block)))
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
        if request.body[:1] == b"\0":
            request.encoding = ""
        del request.body[:GRPC_PREFIX]
        self.requests.append(request)


def _request(stream: int, named: dict[bytes, bytes]) -> Request:
    """By the headers; whether it is compressed, the message itself says."""
    path = named.get(b":path", b"").decode("ascii", "replace")
    encoding = named.get(b"grpc-encoding", b"identity").decode("ascii", "replace")
    return Request(path, stream, -GRPC_PREFIX, encoding="" if encoding == "identity" else encoding)
