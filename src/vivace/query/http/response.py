"""Reads one HTTP/1.1 response from the pieces in which it arrives: head, body by length, in chunks or to the end."""

from __future__ import annotations

import re
import zlib
from typing import Final

LARGEST_HEAD: Final = 65_536
BODILESS: Final = frozenset({204, 304})
STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n]*)?")
CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
GZIP: Final = 16 + zlib.MAX_WBITS


class NotHttp(Exception):
    """What arrives is no HTTP response, or not the one that its head promises."""


class TooLarge(Exception):
    """The body, decompressed, is larger than it may be."""


class ResponseReader:
    """Takes pieces until `complete`; then the next response needs a new reader."""

    def __init__(self, largest: int) -> None:
        self.status: int | None = None
        self.headers: dict[bytes, bytes] = {}
        """By lower-case name; of a name that is there several times the last."""
        self.body = bytearray()
        """Decompressed."""
        self.complete = False
        self.reusable = False
        """Whether the connection may carry another request after this."""
        self.begun = False
        self._largest = largest
        self._pending = bytearray()
        self._left: int | None = None
        """Bytes of the body, or of the chunk, still to come; None: until the connection ends."""
        self._chunked = False
        self._in_trailer = False
        self._inflate: zlib._Decompress | None = None

    def feed(self, piece: bytes) -> None:
        """Raises NotHttp or TooLarge when there is no use in reading on."""
        self.begun = True
        if self.status is not None and not self._chunked:
            self._take(piece)
            return
        self._pending += piece
        while self.status is None:
            if not self._read_head():
                return
        if self._chunked:
            self._read_chunks()
        else:
            rest = bytes(self._pending)
            self._pending.clear()
            self._take(rest)

    def end(self) -> None:
        """The connection is closed. Raises NotHttp when that came too early."""
        if self.status is None:
            raise NotHttp("the head does not end" if self._pending.startswith(b"HTTP/") else "no HTTP response")
        if self._chunked or self._left is not None:
            raise NotHttp("its end is missing")
        self._finish()

    def _read_head(self) -> bool:
        end = self._pending.find(b"\r\n\r\n")
        if end < 0:
            if len(self._pending) > LARGEST_HEAD:
                raise NotHttp(f"its head is larger than {LARGEST_HEAD} bytes")
            if self._pending and not b"HTTP/1.".startswith(self._pending[:7]):
                raise NotHttp("no HTTP response")
            return False
        first, *lines = bytes(self._pending[:end]).split(b"\r\n")
        del self._pending[: end + 4]
        match = STATUS_LINE.fullmatch(first)
        if match is None:
            raise NotHttp("no HTTP response")
        for line in lines:
            name, colon, value = line.partition(b":")
            if not colon:
                raise NotHttp("a header without a colon")
            self.headers[name.strip().lower()] = value.strip()
        status = int(match[2])
        if status < 200:  # more is to come
            self.headers.clear()
            return True
        self.status = status
        self._begin_body(http_1_0=match[1] == b"0")
        return True

    def _begin_body(self, http_1_0: bool) -> None:
        headers = self.headers
        connection = headers.get(b"connection", b"").lower()
        self.reusable = connection == b"keep-alive" if http_1_0 else connection != b"close"
        encoding = headers.get(b"content-encoding", b"identity").lower()
        if encoding == b"gzip":
            self._inflate = zlib.decompressobj(GZIP)
        elif encoding != b"identity":
            raise NotHttp(f"its encoding {encoding.decode('ascii', 'replace')} was not asked for")
        if self.status in BODILESS:
            self._left = 0
        elif b"chunked" in headers.get(b"transfer-encoding", b"").lower():
            self._chunked, self._left = True, 0
        elif (length := headers.get(b"content-length")) is not None:
            if not length.isdigit():
                raise NotHttp("its length is no number")
            self._left = int(length)
        else:
            self.reusable = False

    def _take(self, piece: bytes) -> None:
        """Of a body that is not in chunks."""
        if self._left is not None:
            if len(piece) > self._left:
                raise NotHttp("it is longer than it says")
            self._left -= len(piece)
        self._append(piece)
        if self._left == 0:
            self._finish()

    def _read_chunks(self) -> None:
        pending = self._pending
        while not self.complete:
            if self._left:
                piece = bytes(pending[: self._left])
                if not piece:
                    return
                del pending[: len(piece)]
                self._left -= len(piece)
                self._append(piece)
                continue
            line_end = pending.find(b"\r\n")
            if line_end < 0:
                if len(pending) > LARGEST_HEAD:
                    raise NotHttp("a chunk without a size")
                return
            line = bytes(pending[:line_end])
            del pending[: line_end + 2]
            self._read_line(line)

    def _read_line(self, line: bytes) -> None:
        """Between chunks: a size, the empty line after a chunk, or a line of the trailer, which an empty one ends."""
        if self._in_trailer:
            if not line:
                self._finish()
            return
        if not line:
            return
        size = CHUNK_SIZE.fullmatch(line)
        if size is None:
            raise NotHttp("a chunk without a size")
        self._left = int(size[1], 16)
        self._in_trailer = self._left == 0

    def _append(self, piece: bytes) -> None:
        try:
            self.body += piece if self._inflate is None else self._inflate.decompress(piece, self._room())
        except zlib.error as error:
            raise NotHttp(f"not compressed as it says: {error}") from None
        if len(self.body) > self._largest:
            raise TooLarge

    def _room(self) -> int:
        """One byte more than may be there: enough to see that it is too much."""
        return max(1, self._largest - len(self.body) + 1)

    def _finish(self) -> None:
        if self._inflate is not None and self.body and not self._inflate.eof:
            raise NotHttp("not compressed as it says: its end is missing")
        if self._pending:
            self.reusable = False  # nobody asked for what follows
        self.complete = True
