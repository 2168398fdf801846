"""What a request is answered with: that it was taken, or why not, and how each protocol says so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import ceil
from typing import Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToJson
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

RETRY_SECONDS: Final = 1.0
"""When to try again, where nothing better is known."""
DETAILS: Final = "grpc-status-details-bin"


class Cause(Enum):
    """What kept a request from being taken: a gRPC status, an HTTP status, and the metric's label."""

    MALFORMED = (grpc.StatusCode.INVALID_ARGUMENT, 400, "malformed")
    TRACE_ID = (grpc.StatusCode.INVALID_ARGUMENT, 400, "invalid_trace_id")
    SPAN_ID = (grpc.StatusCode.INVALID_ARGUMENT, 400, "invalid_span_id")
    NO_TENANT = (grpc.StatusCode.UNAUTHENTICATED, 401, "no_tenant")
    BAD_TENANT = (grpc.StatusCode.INVALID_ARGUMENT, 400, "invalid_tenant")
    MEDIA_TYPE = (grpc.StatusCode.UNIMPLEMENTED, 415, "media_type")
    TOO_LARGE = (grpc.StatusCode.RESOURCE_EXHAUSTED, 413, "too_large")
    ABOVE_BURST = (grpc.StatusCode.RESOURCE_EXHAUSTED, 413, "rate_limited")
    TOO_SLOW = (grpc.StatusCode.DEADLINE_EXCEEDED, 408, "too_slow")
    OVERLOADED = (grpc.StatusCode.RESOURCE_EXHAUSTED, 429, "rate_limited")
    UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, 503, "unavailable")
    UNAUTHORIZED = (grpc.StatusCode.UNAUTHENTICATED, 401, "unauthorized")
    NO_PATH = (grpc.StatusCode.NOT_FOUND, 404, "no_path")
    NO_METHOD = (grpc.StatusCode.UNIMPLEMENTED, 405, "no_method")
    DEFECT = (grpc.StatusCode.INTERNAL, 500, "defect")

    def __init__(self, grpc_code: grpc.StatusCode, http_status: int, reason: str) -> None:
        self.grpc_code = grpc_code
        self.http_status = http_status
        self.reason = reason

    @property
    def retryable(self) -> bool:
        """The same request may be taken later."""
        return self in {Cause.OVERLOADED, Cause.UNAVAILABLE}


@dataclass(frozen=True, slots=True)
class Taken:
    """A request that is in the log, maybe without some of its spans, which are refused for good."""

    spans: int
    rejected: int = 0
    message: str = ""
    """Why spans were refused."""

    @property
    def protobuf(self) -> bytes:
        """An ExportTraceServiceResponse."""
        return self._response().SerializeToString() if self.rejected else b""

    @property
    def json(self) -> bytes:
        """The same in JSON."""
        return MessageToJson(self._response(), indent=None).encode() if self.rejected else b"{}"

    def _response(self) -> ExportTraceServiceResponse:
        response = ExportTraceServiceResponse()
        response.partial_success.rejected_spans = self.rejected
        response.partial_success.error_message = self.message
        return response


@dataclass
class NotTaken(Exception):
    """A request that was not taken, and is not in the log."""

    cause: Cause
    message: str
    spans: int | None = None
    """How many spans it had, when somebody has counted."""
    retry_s: float = RETRY_SECONDS

    def __str__(self) -> str:
        return self.message

    @property
    def status(self) -> bytes:
        """A google.rpc.Status message."""
        encoded: bytes = self._status().SerializeToString()
        return encoded

    @property
    def json(self) -> bytes:
        """The same in JSON."""
        return MessageToJson(self._status(), indent=None).encode()

    @property
    def retry_after(self) -> str | None:
        """The value of Retry-After, in whole seconds."""
        return str(max(1, ceil(self.retry_s))) if self.cause.retryable else None

    def _status(self) -> Status:
        status = Status(code=self.cause.grpc_code.value[0], message=self.message)
        if self.cause is Cause.OVERLOADED:
            detail, delay = AnyMessage(), Duration()
            delay.FromNanoseconds(ceil(self.retry_s * 1e9))
            detail.Pack(RetryInfo(retry_delay=delay))
            status.details.append(detail)
        return status
