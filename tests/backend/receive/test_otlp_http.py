from __future__ import annotations

import asyncio
import gzip
from contextlib import closing
from http.client import HTTPConnection
from typing import Any, cast

import pytest
from google.protobuf.json_format import Parse
from google.rpc.code_pb2 import Code
from google.rpc.status_pb2 import Status
from starlette.requests import Request
from tests.backend.receive.conftest import Receiver
from tests.backend.store.rebuild import sent_spans, stored_spans
from tests.backend.store.sample import request

from vivace.backend.receive.answer import Cause, NotTaken
from vivace.backend.receive.intake import MESSAGE_BYTES
from vivace.backend.receive.otlp_http import Receiving, http_application

PROTOBUF = {"Content-Type": "application/x-protobuf"}
GZIP = {**PROTOBUF, "Content-Encoding": "gzip"}


def test_what_is_acknowledged_is_in_the_log(receiver: Receiver) -> None:
    plain, packed = request(1), request(2)
    half = len(packed) // 2
    members = gzip.compress(packed[:half]) + gzip.compress(packed[half:])
    for body, headers in ((plain, PROTOBUF), (members, GZIP)):
        status, answer, answered = receiver.post(body, headers)
        assert (status, answer, answered["content-type"]) == (200, b"", "application/x-protobuf")
    tables = receiver.logged()
    assert tables is not None
    assert stored_spans(tables) == sent_spans([plain, packed])


BOMB = gzip.compress(bytes(MESSAGE_BYTES + 1))

REFUSED = {
    "malformed": (b"\xff", PROTOBUF, 400, "not an OTLP trace request"),
    "a zero span ID": (request(1).replace(b"\x12\x08", b"\x12\x00"), PROTOBUF, 400, "not an OTLP"),
    "too large": (bytes(MESSAGE_BYTES + 1), PROTOBUF, 413, "larger than"),
    "too large when decompressed": (BOMB, GZIP, 413, "larger than"),
    "not gzip": (request(1), GZIP, 400, "the request is not gzip data"),
    "no gzip, and nothing else": (b"", GZIP, 400, "the request is not gzip data"),
    "JSON, not gzip": (b"{}", {**GZIP, "Content-Type": "application/json"}, 400, "the request is not gzip data"),
    "gzip cut short": (gzip.compress(request(1))[:-9], GZIP, 400, "end too early"),
    "another type": (b"{}", {"Content-Type": "text/plain"}, 415, "send application/x-protobuf or application/json"),
    "another encoding": (b"", {**PROTOBUF, "Content-Encoding": "br"}, 415, "send gzip or none"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_requests_are_refused(refusing: Receiver, case: str) -> None:
    body, headers, expected, words = REFUSED[case]
    status, answer, answered = refusing.post(body, headers)
    assert status == expected
    json = headers["Content-Type"] == "application/json"
    said = Parse(answer, Status()) if json else Status.FromString(answer)
    assert words in said.message
    assert answered["content-type"] == ("application/json" if json else "application/x-protobuf")
    assert refusing.logged() is None


NOWHERE = {
    ("POST", "/v1/metrics"): (404, "NOT_FOUND", "send to /v1/traces"),
    ("GET", "/v1/traces"): (405, "UNIMPLEMENTED", "use POST"),
}


@pytest.mark.parametrize("content_type", ["application/x-protobuf", "application/json"])
def test_what_is_not_there_is_refused_in_the_requests_format(refusing: Receiver, content_type: str) -> None:
    for asked, (status, code, words) in NOWHERE.items():
        with closing(HTTPConnection(refusing.http_address, timeout=20)) as connection:
            connection.request(*asked, headers={"Content-Type": content_type})
            answer = connection.getresponse()
            body = answer.read()
        assert (answer.status, answer.headers["content-type"]) == (status, content_type)
        said = Parse(body, Status()) if content_type.endswith("json") else Status.FromString(body)
        assert said.code == Code.Value(code)
        assert words in said.message
        assert answer.headers["allow"] == ("POST" if status == 405 else None)


def test_large_headers_are_refused(refusing: Receiver) -> None:
    with closing(HTTPConnection(refusing.http_address, timeout=20)) as connection:
        connection.request("POST", "/v1/traces", headers={**PROTOBUF, "X-Large": "a" * 1_000_000})
        answer = connection.getresponse()
        assert answer.status == 431
        assert answer.read() == b"the request line and the headers are larger than 65536 bytes"


def test_a_defect_is_told_in_the_requests_format() -> None:
    class Broken:
        def tenant(self, _: object) -> str:
            raise RuntimeError("broken")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "POST", "path": "/v1/traces", "query_string": b""}
    scope["headers"] = [(b"content-type", b"application/json")]
    with pytest.raises(RuntimeError, match="broken"):
        asyncio.run(http_application(cast("Any", Broken()))(scope, receive, send))
    start, body = sent
    assert start["status"] == 500
    assert Parse(body["body"], Status()).code == Code.Value("INTERNAL")


@pytest.mark.parametrize("settings", [{"ahead_bytes": 0}])
def test_requests_are_pushed_back_when_the_log_runs_ahead(receiver: Receiver, settings: dict[str, Any]) -> None:
    statuses = set()
    for seed in range(1000):
        status, _, headers = receiver.post(request(seed), PROTOBUF)
        statuses.add(status)
        if status != 200:
            assert headers["retry-after"] == "1"
            break
    assert statuses == {200, 429}


def arriving(*parts: bytes) -> Request:
    """A request of which the body comes in parts."""
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    coming = iter([*messages, {"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        return next(coming)

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


def test_so_much_is_received_at_once_and_no_more() -> None:
    async def use() -> None:
        receiving = Receiving(limit=10)
        async with receiving.body(arriving(b"1234", b"5678")) as first:
            assert first == b"12345678"
            with pytest.raises(NotTaken) as refused:
                async with receiving.body(arriving(b"12", b"3")):
                    raise AssertionError("was received")
            assert refused.value.cause is Cause.OVERLOADED
            async with receiving.body(arriving(b"12")) as second:
                assert second == b"12"
        async with receiving.body(arriving(b"1234567890")) as third:
            assert third == b"1234567890"

    asyncio.run(use())
