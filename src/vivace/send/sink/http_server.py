"""The server's side of an HTTP/1.1 connection, without a socket: POSTed requests come out, replies go in, in turn."""

from __future__ import annotations

from http import HTTPStatus
from math import ceil
from typing import Final

from vivace.send.call import Buffer
from vivace.send.connection import ProtocolError
from vivace.send.http1.head import LONGEST_HEAD, body_length, fields_of, is_chunked, keeps_alive, unchunked
from vivace.send.sink.messages import status_json, status_message, success_json, success_message
from vivace.send.sink.request import Reply, Request

ROOM: Final = memoryview(bytearray(1 << 20))
"""Shared by all connections of a process: what is received is taken at once."""
GO_ON: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
MEDIA_TYPES: Final = {b"application/x-protobuf": False, b"application/json": True}


class ServerConnection:
    """What one client asks. Of its messages no more than the size is kept, unless they are to be read."""

    def __init__(self, keep_bodies: bool = False) -> None:
        self.requests: list[Request] = []
        self.output: list[Buffer] = []
        self.closing = False
        self._keep_bodies = keep_bodies
        self._keep_alive = True
        self._data = bytearray()
        self._request: Request | None = None
        self._missing = 0
        """Bytes of the present request's body that have not come; -1: it comes in chunks."""
        self._answering = False

    def room(self) -> memoryview:
        """Where to receive into; never empty."""
        return ROOM

    def take(self, size: int) -> None:
        """Acts on what was put into room(); ProtocolError when the connection is of no use any more."""
        received = ROOM[:size]
        if self._request is not None and self._missing > 0:
            received = received[self._body(self._request, received) :]
        self._data += received
        self._go_on()

    def reply(self, request: Request, reply: Reply) -> None:
        """Answers in the request's own media type."""
        status = HTTPStatus.OK if reply.status is None else reply.status.http
        if reply.status is None:
            body = success_json(reply) if request.json else success_message(reply)
        else:
            body = status_json(reply) if request.json else status_message(reply)
        lines = [f"HTTP/1.1 {int(status)} {_phrase(status)}", f"content-length: {len(body)}"]
        lines.append(f"content-type: application/{'json' if request.json else 'x-protobuf'}")
        if reply.retry_after_s is not None:
            lines.append(f"retry-after: {ceil(reply.retry_after_s)}")
        if not self._keep_alive:
            lines.append("connection: close")
        self.output.append("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        self.closing = not self._keep_alive
        self._answering = False
        self._go_on()

    def _go_on(self) -> None:
        """Reads what has come, up to the end of one request: the next has to wait for its answer."""
        if self._answering or self.closing:
            return
        if self._request is None and not self._begin():
            return
        request = self._request
        assert request is not None  # noqa: S101 - it has just begun
        if self._missing < 0:
            self._unchunk(request)
        elif self._missing and self._data:
            with memoryview(self._data) as received:
                taken = self._body(request, received)
            del self._data[:taken]
        if self._missing == 0:
            self._request, self._answering = None, True
            self.requests.append(request)

    def _begin(self) -> bool:
        """Reads the headers of a request; False when they are not whole."""
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            if len(self._data) > LONGEST_HEAD or (self._data and not self._data[:1].isalpha()):
                raise ProtocolError("its first words are not HTTP/1.1")
            return False
        line, _, rest = bytes(self._data[:end]).partition(b"\r\n")
        del self._data[: end + 4]
        method, path, version = _request_line(line)
        named = dict(fields_of(rest))
        self._keep_alive = keeps_alive(version, named)
        self._request = _request(method, path, named)
        self._missing = -1 if is_chunked(named) else body_length(named) or 0
        if named.get(b"expect", b"").lower() == b"100-continue":
            self.output.append(GO_ON)
        return True

    def _body(self, request: Request, received: memoryview) -> int:
        """Takes the body's part of what was received; how much it was."""
        taken = min(self._missing, len(received))
        self._missing -= taken
        request.size += taken
        if self._keep_bodies:
            request.body += received[:taken]
        return taken

    def _unchunk(self, request: Request) -> None:
        found = unchunked(self._data, 0)
        if found is None:
            return
        body, end = found
        del self._data[:end]
        self._missing = 0
        request.size = len(body)
        if self._keep_bodies:
            request.body += body


def _request_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    parts = line.split(b" ")
    if len(parts) != 3 or not parts[2].startswith(b"HTTP/1."):
        raise ProtocolError("its first words are not HTTP/1.1")
    return parts[0], parts[1], parts[2]


def _request(method: bytes, path: bytes, named: dict[bytes, bytes]) -> Request:
    request = Request(path.partition(b"?")[0].decode("ascii", "replace"))
    encoding = named.get(b"content-encoding", b"identity").lower().decode("ascii", "replace")
    request.encoding = "" if encoding == "identity" else encoding
    media_type = named.get(b"content-type", b"").partition(b";")[0].strip().lower()
    request.json = MEDIA_TYPES.get(media_type, False)
    if method != b"POST":
        request.refusal = f"{method.decode('ascii', 'replace')} is not what is asked for; POST"
    elif media_type not in MEDIA_TYPES:
        request.refusal = f"media type '{media_type.decode('ascii', 'replace')}' is neither OTLP's protobuf nor JSON"
    return request


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
