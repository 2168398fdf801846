"""A request on a connection, and the buffers that it is written from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Buffer: TypeAlias = "bytes | memoryview"
Field: TypeAlias = "tuple[bytes, bytes]"
"""A header's name, in small letters, and its value."""


@dataclass(slots=True, eq=False)
class Call:
    """One request and what has come back of it."""

    payload: bytes
    compressed: bool = False
    status: int = 0
    """HTTP/1.1's; 0 before there is an answer. HTTP/2 has it among the headers."""
    headers: tuple[Field, ...] = ()
    body: bytes = b""
    reset: int | None = None
    """HTTP/2: the peer's reason for breaking it off; Code.REFUSED_STREAM: it did not look at the request."""
    stream: int = 0
    """HTTP/2: 0 until it is opened."""
    unsent: int = 0
    window: int = 0
    end_at: int | None = None
    """The connection's output up to here must be written for the request to be with the peer."""
