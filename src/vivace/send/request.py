"""A request on its way."""

from __future__ import annotations

from typing import NamedTuple


class InFlight(NamedTuple):
    """A request that was started; all times are Unix nanoseconds."""

    number: int
    due_ns: int
    started_ns: int
    t0_ns: int
    place: int
    """In the journal."""
