"""What was met in a capture, and what of it a user must be told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

NANOSECONDS: Final = 1_000_000_000
LONG_S: Final = 3600
ACCEPTED_BYTES: Final = 4 << 20
"""What receivers of OTLP over gRPC accept in one message unless configured otherwise."""


@dataclass(slots=True)
class Counts:
    """Counts of a capture. What is odd in real data is counted and kept; only what cannot be sent is left out."""

    traces: int = 0
    spans: int = 0
    data_points: int = 0
    log_records: int = 0
    orphans: int = 0
    """Spans whose parent is not in their trace; kept."""
    duplicates: int = 0
    """Spans with an ID that an earlier span of their trace has; kept."""
    negative_durations: int = 0
    """Spans that end before they start; kept."""
    untimed: int = 0
    """Spans without a start or an end, which get the other time, or their trace's start; kept."""
    large_requests: int = 0
    """Requests that many receivers would refuse, since a trace, or what one resource sent, is so large; kept."""
    longest_ns: int = 0
    """From the earliest to the latest time in a request, at most."""
    spans_without_id: int = 0
    """Left out: a span needs a trace ID of 16 bytes and a span ID of 8, not all zero."""
    links_without_id: int = 0
    """Left out, and counted in their span's dropped_links_count."""

    def warnings(self) -> Iterator[str]:
        """A sentence for each thing that is odd."""
        left_out = "they are left out"
        kept = "they are kept"
        sentences = {
            f"spans without a valid trace ID and span ID: {self.spans_without_id}; {left_out}": self.spans_without_id,
            f"links without valid IDs: {self.links_without_id}; {left_out}": self.links_without_id,
            f"spans with a parent that is not in the capture: {self.orphans}; {kept}": self.orphans,
            f"spans with the ID of another span of their trace: {self.duplicates}; {kept}": self.duplicates,
            f"spans that end before they start: {self.negative_durations}; {kept}": self.negative_durations,
            f"spans without a start or an end: {self.untimed}; they were given the other time": self.untimed,
            f"requests of over 4 MiB: {self.large_requests}; many receivers refuse them": self.large_requests,
            f"the longest request covers {self.longest_ns // NANOSECONDS} s: it is sent with times that long ago": (
                self.longest_ns > LONG_S * NANOSECONDS
            ),
        }
        yield from (sentence for sentence, applies in sentences.items() if applies)
