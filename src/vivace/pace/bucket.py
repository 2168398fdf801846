"""The token bucket of a closed model: an event takes a token, and waits for it when there is none."""

from __future__ import annotations

from dataclasses import dataclass, field

BURST_SECONDS = 2.0
"""A full bucket holds what the rate gives in so long."""


@dataclass(slots=True)
class TokenBucket:
    """Full at first; may change its rate at any time. Times are nanoseconds of any one clock.

    It holds at most burst_s x per_second tokens. Whoever takes more than there are waits until the debt is paid, and
    those after them wait longer.
    """

    per_second: float
    burst_s: float = BURST_SECONDS
    _paid_ns: float | None = field(default=None, init=False)
    """When all that was taken will have been given; a bucket that was full for long lies burst_s behind."""

    def take(self, events: int, now_ns: int) -> int:
        """From when on so many events may go: now, or later."""
        oldest_ns = now_ns - self.burst_s * 1e9
        paid_ns = oldest_ns if self._paid_ns is None else max(self._paid_ns, oldest_ns)
        self._paid_ns = paid_ns + events / self.per_second * 1e9
        return max(now_ns, round(self._paid_ns))
