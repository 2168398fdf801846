"""Cuts what is received into HTTP/1.1 responses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from vivace.send.call import Field
from vivace.send.connection import ProtocolError
from vivace.send.foreign import what_else
from vivace.send.http1.head import LONGEST_HEAD, body_length, fields_of, is_chunked, keeps_alive, unchunked

LONGEST_BODY: Final = 1 << 24
ROOM: Final = 1 << 16
FIRST_FINAL: Final = 200
BODILESS: Final = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Head:
    """What comes before a response's body."""

    status: int
    fields: tuple[Field, ...]
    length: int | None
    """None: until the connection ends, or in chunks."""
    chunked: bool
    keep: bool


@dataclass(frozen=True, slots=True)
class Response:
    head: Head
    body: bytes


@lru_cache(maxsize=256)
def read_head(text: bytes) -> Head:
    """Status line and headers; nearly all are alike, hence the cache. ProtocolError when they are none."""
    line, _, rest = text.partition(b"\r\n")
    version, _, words = line.partition(b" ")
    code = words[:3]
    if version not in {b"HTTP/1.1", b"HTTP/1.0"} or not code.isdigit():
        raise ProtocolError(what_else(text[:9], "HTTP/1.1"))
    fields = fields_of(rest)
    named = dict(fields)
    bodiless = int(code) in BODILESS or int(code) < FIRST_FINAL
    length = 0 if bodiless else body_length(named)
    return Head(int(code), fields, length, is_chunked(named) and not bodiless, keeps_alive(version, named))


class ResponseReader:
    """The responses of one connection, in their order."""

    def __init__(self) -> None:
        self._room = memoryview(bytearray(ROOM))
        self._data = bytearray()

    def room(self) -> memoryview:
        """Where to receive into; never empty."""
        return self._room

    def received(self, size: int) -> Iterator[Response]:
        """The responses that are whole now that `size` bytes were put into room()."""
        self._data += self._room[:size]
        while self._data:
            response = self._next(ended=False)
            if response is None:
                return
            yield response

    def finished(self) -> Response | None:
        """The response whose body ends with the connection, if there is one."""
        return self._next(ended=True) if self._data else None

    def _next(self, ended: bool) -> Response | None:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            self._check_beginning()
            return None
        head, start = read_head(bytes(self._data[:end])), end + 4
        if head.status < FIRST_FINAL:
            del self._data[:start]
            return self._next(ended) if self._data else None
        if max(head.length or 0, len(self._data) - start) > LONGEST_BODY:
            raise ProtocolError(f"an answer of more than {LONGEST_BODY} bytes")
        return self._whole(head, start, ended)

    def _whole(self, head: Head, start: int, ended: bool) -> Response | None:
        if head.chunked:
            found = unchunked(self._data, start)
            if found is None:
                return None
            body, stop = found
        elif head.length is not None:
            stop = start + head.length
            if len(self._data) < stop:
                return None
            body = bytes(self._data[start:stop])
        elif ended:
            body, stop = bytes(self._data[start:]), len(self._data)
        else:
            return None
        del self._data[:stop]
        return Response(head, body)

    def _check_beginning(self) -> None:
        """Refuses at once what will never be a response."""
        first = bytes(self._data[:9])
        if not b"HTTP/1.".startswith(first[:7]) or len(self._data) > LONGEST_HEAD:
            raise ProtocolError(what_else(first, "HTTP/1.1"))
