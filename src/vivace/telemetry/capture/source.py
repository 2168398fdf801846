"""A capture file as a stream of bytes, decompressed on the way; what packs it is told by its first bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyarrow as pa

from vivace.errors import TemplateError
from vivace.telemetry.capture.refusal import Place

COMPRESSIONS: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
READ_AHEAD: Final = 1 << 20


class Source:
    """Bytes in order, never more of them in memory than are asked for and a read-ahead of 1 MiB."""

    def __init__(self, path: Path, stream: io.BufferedIOBase) -> None:
        self.path = path
        self._stream = stream
        self.byte = 0
        """How many bytes were read, after decompression."""
        self.line = 0
        """How many lines were read by `next_line`."""

    @property
    def place(self) -> Place:
        """Where the next byte stands."""
        return Place(self.path, byte=self.byte)

    def read(self, size: int) -> bytes:
        """The next bytes, fewer than `size` only at the end. Raises TemplateError when they cannot be unpacked."""
        try:
            data = self._stream.read(size)
        except OSError as error:
            raise self._unreadable(error) from error
        self.byte += len(data)
        return data

    def next_line(self, largest: int) -> bytes:
        """The next line with its end, empty at the end of the file. Raises TemplateError when longer than `largest`."""
        try:
            data = self._stream.readline(largest + 1)
        except OSError as error:
            raise self._unreadable(error) from error
        self.byte += len(data)
        self.line += bool(data)
        if len(data) > largest:
            raise too_large(Place(self.path, self.line), "line", largest)
        return data

    def _unreadable(self, error: OSError) -> TemplateError:
        return Place(self.path, byte=self.byte).refusal(
            f"cannot be read on: {error.strerror or error}", "copy it again, or capture anew"
        )


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """The file as a source. Raises TemplateError when it is no file, or cannot be read."""
    if path.exists() and not path.is_file():
        raise Place(path).refusal("is not a file", "give one file with telemetry")
    try:
        file = io.BufferedReader(io.FileIO(path), READ_AHEAD)
        kind = _compression(file.peek(4))
    except OSError as error:
        raise Place(path).refusal(f"cannot be read: {error.strerror}", "give a file with telemetry") from error
    with file:
        if kind is None:
            yield Source(path, file)
            return
        with io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(file), kind), READ_AHEAD) as stream:
            yield Source(path, stream)


def unpacked(place: Place, data: bytes, largest: int) -> bytes:
    """A message that may be compressed by itself, as plain bytes. Raises TemplateError when broken or too large."""
    kind = _compression(data)
    if kind is None:
        return data
    try:
        with pa.CompressedInputStream(pa.BufferReader(data), kind) as stream:
            plain = bytes(stream.read(largest + 1))
    except OSError as error:
        raise place.refusal(f"a message cannot be unpacked: {error}", "copy the file again, or capture anew") from error
    if len(plain) > largest:
        raise too_large(place, "message", largest)
    return plain


def too_large(place: Place, what: str, largest: int) -> TemplateError:
    """The error for a piece that would not fit into memory."""
    return place.refusal(
        f"a {what} has over {largest} bytes",
        "capture in smaller pieces (JSON lines, or messages with their length before them), or raise the limit",
    )


def _compression(head: bytes) -> str | None:
    return next((kind for magic, kind in COMPRESSIONS.items() if head.startswith(magic)), None)
