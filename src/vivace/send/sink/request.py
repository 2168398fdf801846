"""A request as a sink sees it, and what it answers; each protocol's server reads and writes them its own way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from vivace.send.call import Buffer
from vivace.send.sink.status import Status
from vivace.telemetry.template import Signal


@dataclass(slots=True, eq=False)
class Request:
    """A request as far as it has come."""

    path: str
    stream: int = 0
    """HTTP/2's."""
    size: int = 0
    """Bytes of the message as it was sent."""
    body: bytearray = field(default_factory=bytearray)
    """The message, where it is kept."""
    encoding: str = ""
    """How it is compressed; empty: it is not."""
    json: bool = False
    refusal: str = ""
    """Why the protocol cannot take it; empty: it can."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered; nothing in it: the request was taken."""

    status: Status | None = None
    """None: taken."""
    words: str = ""
    retry_after_s: float | None = None
    rejected: int = 0
    """Items that were not taken of a request that was."""
    signal: Signal = Signal.TRACES


TAKEN = Reply()


class Server(Protocol):
    """One protocol's side of a connection, without a socket."""

    requests: list[Request]
    """Those that are complete since this was last emptied."""
    output: list[Buffer]
    """To be written and then emptied by the owner."""
    closing: bool
    """Whether the connection ends when all output is written."""

    def room(self) -> memoryview:
        """Where to receive into; never empty."""

    def take(self, size: int) -> None:
        """Acts on what was put into room(); ProtocolError when the connection is of no use any more."""

    def reply(self, request: Request, reply: Reply) -> None:
        """Answers a request."""
