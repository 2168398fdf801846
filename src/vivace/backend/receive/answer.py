"""Why a request was not taken, and how each protocol says so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

RETRY_SECONDS: Final = 1
DETAILS: Final = "grpc-status-details-bin"


class Cause(Enum):
    """What kept a request from being taken: a gRPC status, an HTTP status, and the metric's label."""

    MALFORMED = (grpc.StatusCode.INVALID_ARGUMENT, 400, "malformed")
    TRACE_ID = (grpc.StatusCode.INVALID_ARGUMENT, 400, "invalid_trace_id")
    SPAN_ID = (grpc.StatusCode.INVALID_ARGUMENT, 400, "invalid_span_id")
    MEDIA_TYPE = (grpc.StatusCode.UNIMPLEMENTED, 415, "media_type")
    TOO_LARGE = (grpc.StatusCode.RESOURCE_EXHAUSTED, 413, "too_large")
    OVERLOADED = (grpc.StatusCode.RESOURCE_EXHAUSTED, 429, "rate_limited")
    UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, 503, "unavailable")

    def __init__(self, grpc_code: grpc.StatusCode, http_status: int, reason: str) -> None:
        self.grpc_code = grpc_code
        self.http_status = http_status
        self.reason = reason

    @property
    def retryable(self) -> bool:
        """The same request may be taken later."""
        return self in {Cause.OVERLOADED, Cause.UNAVAILABLE}


@dataclass
class NotTaken(Exception):
    """A request that was not taken, and is not in the log."""

    cause: Cause
    message: str
    spans: int = 0

    def __str__(self) -> str:
        return self.message

    @property
    def status(self) -> bytes:
        """A google.rpc.Status message."""
        status = Status(code=self.cause.grpc_code.value[0], message=self.message)
        if self.cause is Cause.OVERLOADED:
            detail = AnyMessage()
            detail.Pack(RetryInfo(retry_delay=Duration(seconds=RETRY_SECONDS)))
            status.details.append(detail)
        encoded: bytes = status.SerializeToString()
        return encoded
