"""Times of Jaeger and Zipkin, which count microseconds, as OTLP's nanoseconds."""

from __future__ import annotations

from typing import Final

from vivace.telemetry.capture.refusal import Malformed

NANOSECONDS: Final = 1_000
LATEST: Final = (1 << 64) - 1


def moment(time: int) -> int:
    """A time. Raises Malformed when OTLP cannot hold it."""
    if not 0 <= time * NANOSECONDS <= LATEST:
        raise Malformed(f"{time} is not a time in microseconds since 1970")
    return time * NANOSECONDS


def interval(start: int, duration: int) -> tuple[int, int]:
    """Start and end; both 0, which is unknown, when the start is. Raises Malformed when OTLP cannot hold them."""
    return (moment(start), moment(start + duration)) if start else (0, 0)
