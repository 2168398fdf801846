"""What became of a request: acknowledged, failed, or unknown when it may have arrived but nobody said so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from vivace.send.call import Field
from vivace.send.http2.frames import Code
from vivace.send.protocol import read_partial_success
from vivace.send.retry import HTTP_RETRYABLE, grpc_retryable, read_retry_info

LONGEST_MESSAGE: Final = 300
MESSAGE_PREFIX: Final = 5

STATUSES: Final = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
"""gRPC's, by number."""
GIVEN_UP: Final = ("CANCELLED", "DEADLINE_EXCEEDED")
"""The target says these when it stopped in the middle."""
SERVER_GONE: Final = "Cancelling all calls"
"""What gRPC servers say for the application when they end in the middle of a call."""


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
    retryable: bool = False
    """Whether OTLP allows to send the same request again."""
    retry_after_s: float | None = None
    """How long the target wants to be left alone; None: it does not say."""


@lru_cache(maxsize=256)
def response_answer(headers: tuple[Field, ...], body: bytes) -> Answer:
    """The answer in a gRPC response: its headers and trailers, and its data. Nearly all are alike, hence the cache."""
    fields = dict(headers)
    http = fields.get(b":status", b"").decode("ascii", "replace")
    code = fields.get(b"grpc-status")
    if code is None:
        return _answer_without_grpc(http)
    status = STATUSES[int(code)] if code.isdigit() and int(code) < len(STATUSES) else "UNKNOWN"
    message = unquote(fields.get(b"grpc-message", b"").decode("utf-8", "replace"))
    if status == "OK":
        return _success(body)
    interrupted = status in GIVEN_UP or message == SERVER_GONE
    retry_after_s = read_retry_info(fields.get(b"grpc-status-details-bin", b""))
    outcome = Outcome.UNKNOWN if interrupted else Outcome.FAILED
    return _answer(outcome, status, message, retry=(grpc_retryable(status, retry_after_s), retry_after_s))


def reset_answer(code: int, delivered: bool) -> Answer:
    """The target broke the call off; `delivered`: after all of the request was written."""
    if code == Code.REFUSED_STREAM:
        return _answer(Outcome.FAILED, "UNAVAILABLE", "the target did not look at it", retry=(True, None))
    return _lost("INTERNAL", f"broken off by the target with code {code}", delivered)


def lost_answer(why: str, delivered: bool) -> Answer:
    """There is no connection, or none any more."""
    return _lost("UNAVAILABLE", why, delivered)


def timeout_answer(seconds: float, delivered: bool) -> Answer:
    """The target took too long."""
    return _lost("DEADLINE_EXCEEDED", f"no answer within {seconds:g} s", delivered)


def _lost(status: str, why: str, delivered: bool) -> Answer:
    """Without its end a request cannot have been stored; with it, it may have been."""
    retry = (grpc_retryable(status, None), None)
    if delivered:
        return _answer(Outcome.UNKNOWN, status, why, retry=retry)
    return _answer(Outcome.FAILED, status, f"{why}, before all was sent", retry=retry)


def _answer_without_grpc(http: str) -> Answer:
    """From a proxy, or a server that does not speak gRPC; a gateway's error says nothing of what is behind it."""
    refused = http.startswith("4")
    retryable = http.isdigit() and int(http) in HTTP_RETRYABLE
    outcome = Outcome.FAILED if refused else Outcome.UNKNOWN
    return _answer(outcome, f"HTTP {http}", "the answer has no gRPC status", retry=(retryable, None))


def _success(body: bytes) -> Answer:
    try:
        if body[:1] > b"\0":
            raise ValueError("the answer is compressed, which nobody asked for")
        rejected, message = read_partial_success(body[MESSAGE_PREFIX:])
    except ValueError as error:
        return _answer(Outcome.UNKNOWN, "OK", str(error))
    return _answer(Outcome.ACKNOWLEDGED, "OK", message, rejected)


def _answer(
    outcome: Outcome, status: str, message: str, rejected: int = 0, retry: tuple[bool, float | None] = (False, None)
) -> Answer:
    return Answer(outcome, status, message[:LONGEST_MESSAGE] or None, rejected, *retry)
