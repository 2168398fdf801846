"""What a worker needs of a protocol: requests go in, their ends come out, all on the caller's thread."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from vivace.send.answer import Answer
from vivace.send.request import InFlight


class Ended(NamedTuple):
    """The end of a request."""

    request: InFlight
    ended_ns: int
    """Monotonic."""
    answer: Answer


class Exporter(Protocol):
    """A way to a target. Whatever is exported ends within the timeout, by an answer or without one."""

    @property
    def connected(self) -> bool:
        """Whether there is a connection that the target has welcomed."""
        ...

    def connect(self, seconds: float) -> bool:
        """Waits for a connection to every endpoint, so that the first requests need not; False when one is missing."""

    def troubles(self) -> dict[str, str]:
        """Endpoints without a connection, and why."""
        ...

    def export(self, payload: bytes, request: InFlight) -> None:
        """Starts sending."""
        ...

    def wait(self, seconds: float) -> list[Ended]:
        """Sends and receives until a request ends, or so long at most; with 0 only what can be done at once."""
        ...

    def close(self) -> None:
        """Gives up what is in flight."""
        ...
