"""What became of a request: acknowledged, failed, or unknown when it may have arrived but nobody said so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import grpc

from vivace.send.protocol import read_partial_success

LONGEST_MESSAGE: Final = 300

NEVER_SENT: Final = ("failed to connect", "errors resolving", "DNS resolution failed")
"""How gRPC's own words begin when there was no connection to send on."""
CONNECTION_LOST: Final = (
    "Stream removed",
    "Socket closed",
    "RST_STREAM",
    "GOAWAY",
    "recvmsg:",
    "sendmsg:",
    "Connection reset",
    "Broken pipe",
    "keepalive",
    "Cancelling all calls",
    "http2 header with status",
)
"""gRPC's own words, not the target's, when an answer will never come: what was sent may have been stored."""


class Outcome(StrEnum):
    """As in the ledger."""

    DROPPED = "dropped"
    ACKNOWLEDGED = "acknowledged"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of a request."""

    outcome: Outcome
    status: str
    message: str | None = None
    rejected: int = 0
    """Items of an acknowledged request that a partial success refused."""


ACKNOWLEDGED: Final = Answer(Outcome.ACKNOWLEDGED, "OK")


def answer_of(response: bytes) -> Answer:
    """The answer in a response with status OK; unknown when nobody can read it."""
    if not response:
        return ACKNOWLEDGED
    try:
        rejected, message = read_partial_success(response)
    except ValueError as error:
        return Answer(Outcome.UNKNOWN, "OK", str(error))
    return Answer(Outcome.ACKNOWLEDGED, "OK", message[:LONGEST_MESSAGE] or None, rejected)


def answer_of_error(code: grpc.StatusCode, details: str | None) -> Answer:
    """Failed when the target refused or was never reached; unknown when the request may have been stored."""
    message = details or ""
    if message.startswith(NEVER_SENT):
        outcome = Outcome.FAILED
    elif code in {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED} or any(
        words in message for words in CONNECTION_LOST
    ):
        outcome = Outcome.UNKNOWN
    else:
        outcome = Outcome.FAILED
    return Answer(outcome, code.name, message[:LONGEST_MESSAGE] or None)
