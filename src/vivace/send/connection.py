"""What a link drives: one side of a protocol without a socket."""

from __future__ import annotations

from typing import Protocol

from vivace.send.call import Buffer, Call


class ProtocolError(Exception):
    """The peer does not speak as it should."""


class Connection(Protocol):
    """Calls go in, buffers come out; bytes go in, ended calls come out."""

    ready: bool
    """Whether the peer has introduced itself, where it has to."""
    closing: bool
    """Whether no more calls can be opened; those that are open may still be answered."""
    ended: list[Call]
    """Calls that the peer has answered or broken off since this was last emptied."""

    @property
    def free(self) -> bool:
        """Whether another call can be opened."""

    def open(self, call: Call) -> None:
        """Sends the call as soon as the peer's limits allow."""

    def unopened(self) -> list[Call]:
        """Gives back the calls of which nothing has been sent."""

    def calls(self) -> list[Call]:
        """All that have not ended."""

    def delivered(self, call: Call) -> bool:
        """Whether all of the request has been written, so that the peer may have it."""

    def abandon(self, call: Call) -> None:
        """The call's answer is not waited for any more."""

    def ping(self) -> bool:
        """Asks the peer for a sign of life; False when the protocol has no way to."""

    def output(self) -> list[Buffer]:
        """What is to be written next; say what was with written()."""

    def written(self, size: int) -> None:
        """The first `size` bytes of output() are on their way."""

    def room(self) -> memoryview:
        """Where to receive into; never empty."""

    def take(self, size: int) -> None:
        """Acts on `size` bytes put into room(); ProtocolError when the connection is of no use any more."""

    def finish(self) -> None:
        """The peer will send no more."""
