"""What an HTTP response comes to."""

from __future__ import annotations

import json

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from vivace.send.answer import Answer, Outcome
from vivace.send.http_answer import http_answer

PROTOBUF = (b"content-type", b"application/x-protobuf")
JSON = (b"content-type", b"application/json; charset=utf-8")
PARTIAL = ExportTraceServiceResponse(partial_success=ExportTracePartialSuccess(rejected_spans=2, error_message="old"))


@pytest.mark.parametrize(
    ("status", "outcome", "retryable"),
    [
        (200, Outcome.ACKNOWLEDGED, False),
        (202, Outcome.ACKNOWLEDGED, False),
        (301, Outcome.FAILED, False),
        (400, Outcome.FAILED, False),
        (401, Outcome.FAILED, False),
        (413, Outcome.FAILED, False),
        (429, Outcome.FAILED, True),
        (500, Outcome.FAILED, False),
        (502, Outcome.UNKNOWN, True),
        (503, Outcome.FAILED, True),
        (504, Outcome.UNKNOWN, True),
        (599, Outcome.FAILED, False),
    ],
)
def test_a_status_is_an_outcome(status: int, outcome: Outcome, retryable: bool) -> None:
    answer = http_answer(status, (), b"")
    assert (answer.outcome, answer.retryable, answer.retry_after_s) == (outcome, retryable, None)
    assert answer.status == ("OK" if outcome is Outcome.ACKNOWLEDGED else f"HTTP {status}")


@pytest.mark.parametrize(
    ("headers", "body", "words"),
    [
        ((PROTOBUF,), Status(code=3, message="bad ID").SerializeToString(), "bad ID"),
        ((JSON,), b'{"code": 3, "message": "bad ID"}', "bad ID"),
        ((JSON,), b'{"error": "x"}', '{"error": "x"}'),
        ((JSON,), b'["message"]', '["message"]'),
        ((JSON,), b"{", "Bad Request"),
        ((PROTOBUF,), b"\xff", "Bad Request"),
        ((), b" bad\n  ID ", "bad ID"),
        (((b"content-type", b"text/html"),), b"<html>", "Bad Request"),
        ((), b"", "Bad Request"),
        ((), b"x" * 1000, "x" * 300),
    ],
)
def test_the_words_are_the_targets_where_it_has_some(
    headers: tuple[tuple[bytes, bytes], ...], body: bytes, words: str
) -> None:
    assert http_answer(400, headers, body).message == words


def test_a_redirect_is_not_followed() -> None:
    message = http_answer(307, ((b"location", b"https://else.where/"),), b"").message
    assert message == "sent elsewhere (https://else.where/), and redirects are not followed"


@pytest.mark.parametrize("value", [b"5", b"0", b"nonsense"])
def test_retry_after(value: bytes) -> None:
    seconds = http_answer(503, ((b"retry-after", value),), b"").retry_after_s
    assert seconds == (None if value == b"nonsense" else float(value))


@pytest.mark.parametrize(
    ("headers", "body", "answer"),
    [
        ((PROTOBUF,), PARTIAL.SerializeToString(), Answer(Outcome.ACKNOWLEDGED, "OK", "old", 2)),
        (
            (JSON,),
            json.dumps({"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": "old"}}).encode(),
            Answer(Outcome.ACKNOWLEDGED, "OK", "old", 2),
        ),
        ((JSON,), b'{"partialSuccess": {"rejectedDataPoints": 4}}', Answer(Outcome.ACKNOWLEDGED, "OK", None, 4)),
        ((JSON,), b"{}", Answer(Outcome.ACKNOWLEDGED, "OK")),
        ((JSON,), b"null", Answer(Outcome.ACKNOWLEDGED, "OK")),
        ((JSON,), b"[1]", Answer(Outcome.UNKNOWN, "OK", "the answer is not an OTLP export response")),
        ((JSON,), b"{", Answer(Outcome.UNKNOWN, "OK", "the answer is not an OTLP export response")),
        ((PROTOBUF,), b"\xff\xff", Answer(Outcome.UNKNOWN, "OK", "the answer is not an OTLP export response")),
        (
            (PROTOBUF, (b"content-encoding", b"gzip")),
            b"x",
            Answer(Outcome.UNKNOWN, "OK", "the answer is compressed, which nobody asked for"),
        ),
    ],
)
def test_a_success_may_be_partial(headers: tuple[tuple[bytes, bytes], ...], body: bytes, answer: Answer) -> None:
    assert http_answer(200, headers, body) == answer
