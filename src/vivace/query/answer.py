"""What became of a request: its end, what was found, or why it failed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import NamedTuple


class Failure(StrEnum):
    """Why a query failed, as in the ledger."""

    CONNECTION = "connection"
    TIMEOUT = "timeout"
    STATUS = "status"
    UNREADABLE = "unreadable"
    WRONG = "wrong"


class Failed(Exception):
    """A query that failed, and why; it becomes an Answer where the request was made."""

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure


class FoundTrace(NamedTuple):
    """One trace of an answer; IDs are lower-case hex, of the trace 32 digits."""

    trace_id: str
    matched: int | None
    """How many of its spans the target says that the query selects."""
    spans: tuple[str, ...]
    """IDs of those that came with the answer; a search returns only some of a trace's."""


class Found(NamedTuple):
    """What is in a good answer; of what its kind does not have, None."""

    traces: int | None = None
    spans: int | None = None
    items: int | None = None
    """Tags, values or series."""
    inspected_spans: int | None = None
    """How much the target looked at, by its own account."""
    seen: tuple[FoundTrace, ...] = ()
    limited: bool = False
    """Whether there may be more than was asked for; which of it came was then the target's choice."""
    digest: int | None = None
    """The same for the same answer; None where the target had a choice."""

    @property
    def first(self) -> str | None:
        """The ID of the first trace."""
        return self.seen[0].trace_id if self.seen else None

    @property
    def nothing(self) -> bool:
        return not (self.traces or self.items)


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of a request, good or not."""

    ended_ns: int
    """Unix; when the last byte was there, or no more was waited for."""
    status: int | None
    """Of HTTP, or of gRPC."""
    size: int
    """Bytes of the body, decompressed, as far as it came."""
    found: Found | None = None
    """None when it failed."""
    failure: Failure | None = None
    message: str | None = None
    retries: int = 0
    retry_after_s: float | None = None
    """For how long the target asks to be left alone."""


def digest_of(parts: Iterable[object]) -> int:
    """A signed 64-bit number that is the same for the same parts, whatever their order."""
    text = "\n".join(sorted(map(repr, parts)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)
