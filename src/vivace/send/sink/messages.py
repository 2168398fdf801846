"""The messages in a sink's answers: export responses with a partial success, and statuses."""

from __future__ import annotations

import json
from typing import Final

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status as StatusMessage
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from vivace.send.sink.request import Reply
from vivace.telemetry.template import Signal

REJECTED: Final = {
    Signal.TRACES: "rejectedSpans",
    Signal.METRICS: "rejectedDataPoints",
    Signal.LOGS: "rejectedLogRecords",
}


def success_message(reply: Reply) -> bytes:
    """The export response; the three signals' have the same fields."""
    if not reply.rejected:
        return b""
    partial = ExportTracePartialSuccess(rejected_spans=reply.rejected, error_message=reply.words)
    return ExportTraceServiceResponse(partial_success=partial).SerializeToString()


def success_json(reply: Reply) -> bytes:
    """The same in JSON."""
    if not reply.rejected:
        return b"{}"
    partial = {REJECTED[reply.signal]: str(reply.rejected), "errorMessage": reply.words}
    return json.dumps({"partialSuccess": partial}).encode()


def status_message(reply: Reply) -> bytes:
    """A google.rpc.Status with the time to wait, if there is one."""
    assert reply.status is not None  # noqa: S101 - the caller looked
    status = StatusMessage(code=reply.status.grpc, message=reply.words)
    if reply.retry_after_s is not None:
        seconds, rest = divmod(reply.retry_after_s, 1.0)
        detail = AnyMessage()
        detail.Pack(RetryInfo(retry_delay=Duration(seconds=int(seconds), nanos=int(rest * 1e9))))
        status.details.append(detail)
    encoded: bytes = status.SerializeToString()
    return encoded


def status_json(reply: Reply) -> bytes:
    """The same in JSON."""
    assert reply.status is not None  # noqa: S101 - the caller looked
    return json.dumps({"code": reply.status.grpc, "message": reply.words}).encode()
