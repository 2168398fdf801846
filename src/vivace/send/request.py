"""A request on its way."""

from __future__ import annotations

from typing import NamedTuple

from vivace.send.disorder import Kind


class InFlight(NamedTuple):
    """A request that was started; all times are Unix nanoseconds."""

    number: int
    due_ns: int
    started_ns: int
    """The first time."""
    t0_ns: int
    place: int
    """In the journal."""
    content: int = -1
    """The number of the request whose bytes it has: its own, but for a duplicate."""
    kind: Kind | None = None
    attempt: int = 1
    doubtful: bool = False
    """An earlier attempt may have been stored, though nobody said so."""
