"""What a target says about trying again: which statuses invite it, and after how long (OTLP specification)."""

from __future__ import annotations

import binascii
from base64 import b64decode
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

GRPC_RETRYABLE: Final = frozenset(
    {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
)
HTTP_RETRYABLE: Final = frozenset({429, 502, 503, 504})
WITH_RETRY_INFO: Final = "RESOURCE_EXHAUSTED"
"""Retryable only when the target says after how long."""


def grpc_retryable(status: str, retry_after_s: float | None) -> bool:
    """Whether the same request may be taken later."""
    return status in GRPC_RETRYABLE or (status == WITH_RETRY_INFO and retry_after_s is not None)


def read_retry_info(details: bytes) -> float | None:
    """Seconds in the RetryInfo of a `grpc-status-details-bin` trailer; None when there is none that can be read."""
    try:
        status = Status.FromString(b64decode(details + b"=" * (-len(details) % 4)))
        for detail in status.details:
            info = RetryInfo()
            if detail.Unpack(info):
                return max(0.0, float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9))
    except (DecodeError, binascii.Error):
        return None
    return None


def read_retry_after(value: str, now: datetime | None = None) -> float | None:
    """Seconds in an HTTP Retry-After header, which gives seconds or a date; None when it is neither."""
    text = value.strip()
    if text.isdecimal():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())
