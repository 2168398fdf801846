"""What became of a request over HTTP, from status, headers and body."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from vivace.send.answer import LONGEST_MESSAGE, Answer, Outcome
from vivace.send.call import Field
from vivace.send.protocol import read_partial_success
from vivace.send.retry import HTTP_RETRYABLE, read_retry_after

OK: Final = HTTPStatus.OK
MULTIPLE_CHOICES: Final = HTTPStatus.MULTIPLE_CHOICES
BAD_REQUEST: Final = HTTPStatus.BAD_REQUEST
NOBODY_KNOWS: Final = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})
"""A gateway says these when it did not hear the end from what is behind it."""
REJECTED: Final = ("rejectedSpans", "rejectedDataPoints", "rejectedLogRecords")
TAKEN: Final = Answer(Outcome.ACKNOWLEDGED, "OK")


def http_answer(status: int, headers: tuple[Field, ...], body: bytes) -> Answer:
    """The answer in an HTTP response."""
    if OK <= status < MULTIPLE_CHOICES:
        return _success(dict(headers), body) if body else TAKEN
    fields = dict(headers)
    after = fields.get(b"retry-after")
    retry_after_s = None if after is None else read_retry_after(after.decode("ascii", "replace"))
    outcome = Outcome.UNKNOWN if status in NOBODY_KNOWS else Outcome.FAILED
    message = _words(status, fields, body)[:LONGEST_MESSAGE] or None
    return Answer(outcome, f"HTTP {status}", message, 0, status in HTTP_RETRYABLE, retry_after_s)


def _success(fields: dict[bytes, bytes], body: bytes) -> Answer:
    try:
        if fields.get(b"content-encoding", b"identity") != b"identity":
            raise ValueError("the answer is compressed, which nobody asked for")
        rejected, message = _read_json(body) if _is_json(fields) else read_partial_success(body)
    except ValueError as error:
        return Answer(Outcome.UNKNOWN, "OK", str(error)[:LONGEST_MESSAGE])
    return Answer(Outcome.ACKNOWLEDGED, "OK", message[:LONGEST_MESSAGE] or None, rejected)


def _is_json(fields: dict[bytes, bytes]) -> bool:
    return fields.get(b"content-type", b"").partition(b";")[0].strip().lower() == b"application/json"


def _read_json(body: bytes) -> tuple[int, str]:
    """As read_partial_success; 64-bit numbers are strings in OTLP/JSON."""
    try:
        partial = (json.loads(body) or {}).get("partialSuccess") or {}
        rejected = max(int(partial.get(name) or 0) for name in REJECTED)
        return max(0, rejected), str(partial.get("errorMessage") or "")
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError("the answer is not an OTLP export response") from error


def _words(status: int, fields: dict[bytes, bytes], body: bytes) -> str:
    """The target's own, or the status' name."""
    if status < BAD_REQUEST:
        place = fields.get(b"location", b"").decode("utf-8", "replace")
        return f"sent elsewhere ({place}), and redirects are not followed"
    return _status_message(fields, body) or _phrase(status)


def _status_message(fields: dict[bytes, bytes], body: bytes) -> str:
    kind = fields.get(b"content-type", b"").partition(b";")[0].strip().lower()
    try:
        if kind == b"application/x-protobuf":
            return str(Status.FromString(body).message)
        if kind == b"application/json":
            found = json.loads(body)
            return str(found["message"]) if isinstance(found, dict) and "message" in found else body.decode()
    except (ValueError, DecodeError):
        return ""
    text = body.decode("utf-8", "replace").strip()
    return "" if kind == b"text/html" else " ".join(text.split())


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
