"""The client's side of an HTTP/1.1 connection, without a socket: one request after the other."""

from __future__ import annotations

from collections.abc import Sequence

from vivace.send.call import Buffer, Call, Field
from vivace.send.http1.response import Response, ResponseReader


class ClientConnection:
    """POSTs with the same headers, and the answers to them; one at a time."""

    def __init__(self, target: bytes, fields: Sequence[Field]) -> None:
        self.ready = True
        self.closing = False
        self.ended: list[Call] = []
        head = [b"POST " + target + b" HTTP/1.1", *(name + b": " + value for name, value in fields)]
        self._head = b"\r\n".join(head) + b"\r\ncontent-length: "
        self._reader = ResponseReader()
        self._call: Call | None = None
        self._out: list[Buffer] = []
        self._started = False

    @property
    def free(self) -> bool:
        """Whether another call can be opened."""
        return self._call is None and not self.closing

    def open(self, call: Call) -> None:
        """Sends the call next."""
        self._call = call
        self._started = False
        self._out = [self._head + b"%d\r\n\r\n" % len(call.payload)]
        if call.payload:
            self._out.append(call.payload)

    def unopened(self) -> list[Call]:
        """Gives back the call when nothing of it has been sent."""
        if self._call is None or self._started:
            return []
        call, self._call = self._call, None
        self._out = []
        return [call]

    def calls(self) -> list[Call]:
        """The one that has not ended, if any."""
        return [] if self._call is None else [self._call]

    def delivered(self, call: Call) -> bool:
        """Whether all of the request has been written."""
        return call is self._call and not self._out

    def abandon(self, call: Call) -> None:
        """The connection can only end with it, since its answer could still come."""
        if call is self._call:
            self._call = None
            self._out = []
            self.closing = True

    def ping(self) -> bool:
        """There is no such thing."""
        return False

    def output(self) -> list[Buffer]:
        """What is to be written next; say what was with written()."""
        return self._out

    def written(self, size: int) -> None:
        """The first `size` bytes of output() are on their way."""
        self._started = True
        while self._out and size >= len(self._out[0]):
            size -= len(self._out.pop(0))
        if size:
            self._out[0] = memoryview(self._out[0])[size:]

    def room(self) -> memoryview:
        """Where to receive into; never empty."""
        return self._reader.room()

    def take(self, size: int) -> None:
        """Acts on what was put into room(); ProtocolError when the connection is of no use any more."""
        for response in self._reader.received(size):
            self._answer(response)

    def finish(self) -> None:
        """A body without a length ends with the connection."""
        response = self._reader.finished()
        if response is not None:
            self._answer(response)

    def _answer(self, response: Response) -> None:
        """An answer that came before the whole request ends the connection; one that nobody asked for does, too."""
        call, self._call = self._call, None
        self.closing = self.closing or call is None or bool(self._out) or not response.head.keep
        self._out = []
        if call is not None:
            call.status, call.headers, call.body = response.head.status, response.head.fields, response.body
            self.ended.append(call)
