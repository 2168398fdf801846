"""Which answers invite another try, and when."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import DebugInfo, RetryInfo
from google.rpc.status_pb2 import Status

from vivace.send.answer import STATUSES, response_answer
from vivace.send.retry import grpc_retryable, read_retry_after, read_retry_info


def details(*messages: object) -> bytes:
    status = Status(code=8, message="slow down")
    for message in messages:
        packed = AnyMessage()
        packed.Pack(message)  # type: ignore[arg-type]
        status.details.append(packed)
    return b64encode(status.SerializeToString()).rstrip(b"=")


INFO = RetryInfo(retry_delay=Duration(seconds=2, nanos=500_000_000))


def test_retryable_statuses_are_those_of_the_specification() -> None:
    assert {status for status in STATUSES if grpc_retryable(status, None)} == {
        "CANCELLED",
        "DEADLINE_EXCEEDED",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNAVAILABLE",
        "DATA_LOSS",
    }
    assert {status for status in STATUSES if grpc_retryable(status, 1.0)} == {
        status for status in STATUSES if grpc_retryable(status, None)
    } | {"RESOURCE_EXHAUSTED"}


@pytest.mark.parametrize(
    ("trailer", "seconds"),
    [
        (details(INFO), 2.5),
        (details(DebugInfo(detail="d"), INFO), 2.5),
        (details(RetryInfo()), 0.0),
        (details(DebugInfo(detail="d")), None),
        (details(), None),
        (b"", None),
        (b"not base64!", None),
        (b64encode(b"\xff\xff\xff"), None),
    ],
)
def test_the_delay_is_read_wherever_it_is_among_the_details(trailer: bytes, seconds: float | None) -> None:
    assert read_retry_info(trailer) == seconds


def test_an_exhausted_target_is_tried_again_only_when_it_says_when() -> None:
    headers = ((b":status", b"200"), (b"grpc-status", b"8"))
    never = response_answer(headers, b"")
    later = response_answer((*headers, (b"grpc-status-details-bin", details(INFO))), b"")
    assert (never.retryable, never.retry_after_s) == (False, None)
    assert (later.retryable, later.retry_after_s) == (True, 2.5)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:27:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-5", None),
    ],
)
def test_retry_after_gives_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert read_retry_after(value, datetime(2015, 10, 21, 7, 28, tzinfo=UTC)) == seconds
