"""One refusal in the words of each protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vivace.send.answer import STATUSES

COUNTERPARTS: Final = {
    "INVALID_ARGUMENT": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "FAILED_PRECONDITION": 412,
    "OUT_OF_RANGE": 416,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "ABORTED": 502,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
    "DATA_LOSS": 507,
    "UNKNOWN": 520,
}
"""HTTP's, by gRPC's name."""
LEAST_ERROR, MOST_ERROR = 400, 599


@dataclass(frozen=True, slots=True)
class Status:
    """Of an error, by gRPC's number and HTTP's."""

    grpc: int
    http: int


def status_of(text: str) -> Status | None:
    """By gRPC's name or HTTP's number; None when there is no such error."""
    if text in COUNTERPARTS:
        return Status(STATUSES.index(text), COUNTERPARTS[text])
    if not text.isdecimal() or not LEAST_ERROR <= int(text) <= MOST_ERROR:
        return None
    names = [name for name, http in COUNTERPARTS.items() if http == int(text)]
    return Status(STATUSES.index(names[0] if names else "UNKNOWN"), int(text))
