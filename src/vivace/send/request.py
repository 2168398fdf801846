"""A request on its way."""

from __future__ import annotations

from typing import NamedTuple

from vivace.send.disorder import Kind


class Content(NamedTuple):
    """What is in a request."""

    number: int
    """Of the request that it was made for; a duplicate has that of another one."""
    template: int
    """Which request of the template."""
    items: int
    """Spans, data points or log records that a reader finds in it."""
    size: int
    """Bytes, before compression."""


NOTHING = Content(-1, 0, 0, 0)


class InFlight(NamedTuple):
    """A request that was started; all times are Unix nanoseconds."""

    number: int
    due_ns: int
    started_ns: int
    """The first time."""
    t0_ns: int
    place: int
    """In the journal."""
    content: Content = NOTHING
    kind: Kind | None = None
    attempt: int = 1
    doubtful: bool = False
    """An earlier attempt may have been stored, though nobody said so."""
