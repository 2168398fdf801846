"""The client's side of an HTTP/2 connection, without a socket: frames come in, buffers go out.

A call's payload is handed on as it is, cut where frames and flow control want it; it is never copied.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from vivace.send.call import Buffer, Call, Field
from vivace.send.connection import ProtocolError
from vivace.send.foreign import what_else
from vivace.send.http2.frames import (
    DEFAULT_FRAME,
    DEFAULT_TABLE,
    DEFAULT_WINDOW,
    LARGEST_WINDOW,
    PREFACE,
    WORD,
    Code,
    Flag,
    Frame,
    FrameReader,
    Kind,
    Setting,
    content,
    frame,
    head,
    read_settings,
    read_word,
    settings,
    window_update,
)
from vivace.send.http2.headers import HeaderReader, HeaderWriter

AHEAD: Final = 1 << 20
"""Bytes in frames that wait for the socket, at most (and one frame)."""
LARGEST_FRAME: Final = 1 << 18
"""Larger ones are not sent, whatever the peer allows."""
LAST_STREAM: Final = LARGEST_WINDOW - 2
GRPC_PREFIX: Final = 5


class ClientConnection:
    """Calls with the same headers over one connection."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.ready = False
        """Whether the peer has introduced itself; nothing but our introduction is sent before."""
        self.closing = False
        """Whether no more calls can be opened; those that are open may still be answered."""
        self.ended: list[Call] = []
        """Calls that the peer has answered or broken off since this was last emptied."""
        self._headers = HeaderWriter(fields)
        self._frames = FrameReader()
        self._heard = False
        self._reader = HeaderReader()
        self._streams: dict[int, Call] = {}
        self._waiting: deque[Call] = deque()
        self._sending: deque[Call] = deque()
        self._next_stream = 1
        self._window = DEFAULT_WINDOW
        self._initial_window = DEFAULT_WINDOW
        self._largest_frame = DEFAULT_FRAME
        self._most_streams = LARGEST_WINDOW
        self._consumed = 0
        self._block: tuple[int, int, bytes] | None = None
        self._out: list[Buffer] = []
        self._queued = 0
        self._written = 0
        self._put(PREFACE)
        self._put(settings({Setting.ENABLE_PUSH: 0, Setting.INITIAL_WINDOW_SIZE: LARGEST_WINDOW}))
        self._put(window_update(0, LARGEST_WINDOW - DEFAULT_WINDOW))

    @property
    def free(self) -> bool:
        """Whether another call can be opened."""
        return not self.closing

    def open(self, call: Call) -> None:
        """Sends the call as soon as the peer's limits allow."""
        call.unsent = len(call.payload) + GRPC_PREFIX
        self._waiting.append(call)

    def unopened(self) -> list[Call]:
        """Gives back the calls of which nothing has been sent."""
        calls = list(self._waiting)
        self._waiting.clear()
        return calls

    def calls(self) -> list[Call]:
        """All that have not ended."""
        return [*self._streams.values(), *self._waiting]

    def delivered(self, call: Call) -> bool:
        """Whether all of the request has been written, so that the peer may have it."""
        return call.end_at is not None and call.end_at <= self._written

    def abandon(self, call: Call) -> None:
        """Tells the peer that its answer is not waited for any more."""
        if call in self._waiting:
            self._waiting.remove(call)
        else:
            self._close(call, Code.CANCEL)

    def ping(self) -> bool:
        """Asks the peer for a sign of life."""
        self._put(frame(Kind.PING, payload=bytes(8)))
        return True

    def output(self) -> list[Buffer]:
        """What is to be written next; say what was with written()."""
        if self.ready and (self._waiting or self._sending):
            self._open_waiting()
            self._send_data()
        return self._out

    def written(self, size: int) -> None:
        """The first `size` bytes of output() are on their way."""
        self._written += size
        whole = 0
        for buffer in self._out:
            if size < len(buffer):
                break
            size -= len(buffer)
            whole += 1
        del self._out[:whole]
        if size:
            self._out[0] = memoryview(self._out[0])[size:]

    def room(self) -> memoryview:
        """Where to receive into; never empty."""
        return self._frames.room()

    def take(self, size: int) -> None:
        """Acts on what was put into room(); ProtocolError when the connection is of no use any more."""
        if not self._heard:
            self._heard = True
            first = bytes(self._frames.room()[: min(size, 9)])
            if len(first) > 3 and first[3] != Kind.SETTINGS:
                raise ProtocolError(what_else(first, "HTTP/2"))
        self.received(self._frames.received(size))

    def finish(self) -> None:
        """The peer will send no more: whatever has not ended never will."""

    def received(self, frames: Iterable[Frame]) -> None:
        """Acts on what the peer sent; ProtocolError when the connection is of no use any more."""
        for received in frames:
            if not self.ready and received.kind != Kind.SETTINGS:
                raise ProtocolError("its first words are not HTTP/2")
            if self._block is not None and received.kind != Kind.CONTINUATION:
                raise ProtocolError("headers that do not end")
            self._receive(received)

    def _receive(self, received: Frame) -> None:
        match received.kind:
            case Kind.HEADERS:
                self._on_block(received.stream, received.flags, bytes(content(received)))
            case Kind.DATA:
                self._on_data(received)
            case Kind.WINDOW_UPDATE:
                self._on_window(received)
            case Kind.SETTINGS if not received.flags & Flag.ACK:
                self._on_settings(received)
            case Kind.PING if not received.flags & Flag.ACK:
                self._put(frame(Kind.PING, Flag.ACK, payload=bytes(received.payload)))
            case Kind.RST_STREAM:
                self._end(received.stream, read_word(received.payload))
            case Kind.GOAWAY:
                self._on_goaway(read_word(received.payload))
            case Kind.CONTINUATION:
                self._on_continuation(received)

    def _on_block(self, stream: int, flags: int, block: bytes) -> None:
        if not flags & Flag.END_HEADERS:
            self._block = (stream, flags, block)
            return
        fields = self._reader.read(block)
        call = self._streams.get(stream)
        if call is not None:
            call.headers += fields
        if flags & Flag.END_STREAM:
            self._end(stream)

    def _on_continuation(self, received: Frame) -> None:
        if self._block is None or self._block[0] != received.stream:
            raise ProtocolError("headers continue that had not begun")
        stream, flags, block = self._block
        self._block = None
        self._on_block(stream, flags | received.flags & Flag.END_HEADERS, block + bytes(received.payload))

    def _on_data(self, received: Frame) -> None:
        self._consumed += len(received.payload)
        if self._consumed > LARGEST_WINDOW // 2:
            self._put(window_update(0, self._consumed))
            self._consumed = 0
        call = self._streams.get(received.stream)
        if call is not None:
            call.body += content(received)
        if received.flags & Flag.END_STREAM:
            self._end(received.stream)

    def _on_window(self, received: Frame) -> None:
        increment = read_word(received.payload)
        if not received.stream:
            self._window += increment
            return
        call = self._streams.get(received.stream)
        if call is not None:
            self._widen(call, increment)

    def _widen(self, call: Call, increment: int) -> None:
        stalled = call.window <= 0 < call.window + increment and call.unsent > 0
        call.window += increment
        if stalled:
            self._sending.append(call)

    def _on_settings(self, received: Frame) -> None:
        values = read_settings(received.payload)
        self.ready = True
        self._most_streams = values.get(Setting.MAX_CONCURRENT_STREAMS, self._most_streams)
        self._largest_frame = min(values.get(Setting.MAX_FRAME_SIZE, self._largest_frame), LARGEST_FRAME)
        if values.get(Setting.HEADER_TABLE_SIZE, DEFAULT_TABLE) < DEFAULT_TABLE:
            self._headers.limit(values[Setting.HEADER_TABLE_SIZE])
        initial_window = values.get(Setting.INITIAL_WINDOW_SIZE, self._initial_window)
        for call in self._streams.values():
            self._widen(call, initial_window - self._initial_window)
        self._initial_window = initial_window
        self._put(frame(Kind.SETTINGS, Flag.ACK))

    def _on_goaway(self, last_stream: int) -> None:
        self.closing = True
        for stream in [stream for stream in self._streams if stream > last_stream]:
            self._end(stream, Code.REFUSED_STREAM)

    def _end(self, stream: int, reset: int | None = None) -> None:
        """The peer has said its last word on a stream."""
        call = self._streams.get(stream)
        if call is None:
            return
        call.reset = reset
        self._close(call, Code.NO_ERROR if reset is None else None)
        self.ended.append(call)

    def _close(self, call: Call, reason: Code | None) -> None:
        """Forgets a call; when not all of it has been sent, or its end is not waited for, the peer is told why."""
        if self._streams.pop(call.stream, None) is None:
            return
        if reason is not None and (call.unsent or reason is not Code.NO_ERROR):
            self._put(frame(Kind.RST_STREAM, stream=call.stream, payload=WORD.pack(reason)))
        call.unsent = 0
        call.payload = b""

    def _open_waiting(self) -> None:
        while self._waiting and len(self._streams) < self._most_streams and not self.closing:
            call = self._waiting.popleft()
            call.stream = self._next_stream
            call.window = self._initial_window
            self._streams[call.stream] = call
            block = self._headers.block()
            self._put(head(len(block), Kind.HEADERS, Flag.END_HEADERS, call.stream) + block)
            if call.window > 0:
                self._sending.append(call)
            self._next_stream += 2
            self.closing = self._next_stream > LAST_STREAM

    def _send_data(self) -> None:
        """Frames of the calls in turn; a call whose own window is used up leaves the queue until it is widened."""
        while self._sending and self._window > 0 and self._queued - self._written < AHEAD:
            call = self._sending[0]
            size = min(call.unsent, call.window, self._window, self._largest_frame)
            if size > 0:
                self._send_piece(call, size)
            if not call.unsent or call.window <= 0:
                self._sending.popleft()

    def _send_piece(self, call: Call, size: int) -> None:
        last = size == call.unsent
        self._put(head(size, Kind.DATA, Flag.END_STREAM if last else 0, call.stream))
        for part in _pieces(call, size):
            self._put(part)
        self._window -= size
        call.window -= size
        if last:
            call.end_at = self._queued

    def _put(self, buffer: Buffer) -> None:
        self._out.append(buffer)
        self._queued += len(buffer)


def _pieces(call: Call, size: int) -> list[Buffer]:
    """The next so many bytes of the gRPC message: whether it is compressed, its length, the payload."""
    start = len(call.payload) + GRPC_PREFIX - call.unsent
    call.unsent -= size
    prefix = (b"\1" if call.compressed else b"\0") + WORD.pack(len(call.payload))
    if start == 0 and call.unsent == 0:
        return [prefix, call.payload]
    stop = start + size
    prefix = prefix[start:stop]
    rest = memoryview(call.payload)[max(0, start - GRPC_PREFIX) : max(0, stop - GRPC_PREFIX)]
    return [prefix, rest] if prefix else [rest]
