"""The sink's HTTP/1.1 against what clients may do."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import pytest
from tests.send.requests import trace_request

from vivace.send.sink import Counting, Sink, SinkSettings

REQUEST = trace_request(3)
PROTOBUF = {"content-type": "application/x-protobuf"}


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink(SinkSettings(counting=Counting.ITEMS)) as sink:
        yield sink


@pytest.fixture
def client(sink: Sink) -> Iterator[http.client.HTTPConnection]:
    host, port = sink.address.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    yield connection
    connection.close()


def spans(sink: Sink) -> int:
    return sink.counts().spans or 0


def test_requests_follow_each_other_on_a_connection(sink: Sink, client: http.client.HTTPConnection) -> None:
    before = spans(sink)
    for _ in range(3):
        client.request("POST", "/v1/traces", REQUEST, PROTOBUF)
        response = client.getresponse()
        assert (response.status, response.read()) == (200, b"")
        assert response.headers["content-type"] == "application/x-protobuf"
    assert spans(sink) - before == 9


def test_a_body_in_chunks(sink: Sink, client: http.client.HTTPConnection) -> None:
    before = spans(sink)
    client.request("POST", "/v1/traces", iter([REQUEST[:10], REQUEST[10:]]), PROTOBUF, encode_chunked=True)
    assert client.getresponse().status == 200
    assert spans(sink) - before == 3


class Refused(NamedTuple):
    """A request, and why it is not taken."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int
    words: str


@pytest.mark.parametrize(
    "case",
    [
        Refused("GET", "/v1/traces", PROTOBUF, b"", 415, "GET is not what is asked for; POST"),
        Refused("POST", "/v1/nothing", PROTOBUF, b"", 404, "no such method: /v1/nothing"),
        Refused("POST", "/v1/traces", {"content-type": "text/plain"}, b"", 415, "media type 'text/plain'"),
        Refused("POST", "/v1/traces", PROTOBUF, b"\x0a\xff", 400, "not OTLP"),
        Refused("POST", "/v1/traces", PROTOBUF | {"content-encoding": "gzip"}, REQUEST, 400, "not gzip data"),
        Refused("POST", "/v1/traces", PROTOBUF | {"content-encoding": "br"}, REQUEST, 400, "no such encoding: br"),
        Refused("POST", "/v1/traces", {"content-type": "application/json"}, b"[]", 400, "not OTLP/JSON"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_words(
    sink: Sink, client: http.client.HTTPConnection, case: Refused
) -> None:
    before = sink.counts()
    client.request(case.method, case.path, case.body, case.headers)
    response = client.getresponse()
    assert response.status == case.status
    answer = response.read()
    as_json = "json" in case.headers["content-type"]
    assert case.words in (json.loads(answer)["message"] if as_json else answer.decode("latin-1"))
    after = sink.counts()
    assert after.requests == before.requests
    assert after.faults["malformed"] == before.faults["malformed"] + 1


def exchange(sink: Sink, data: bytes) -> bytes:
    """All that comes back until the connection ends."""
    host, port = sink.address.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(data)
        received = b""
        while part := connection.recv(65536):
            received += part
    return received


def post(body: bytes, *headers: bytes, version: bytes = b"HTTP/1.1") -> bytes:
    lines = [b"POST /v1/traces " + version, b"Content-Type: application/x-protobuf", b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, *headers]) + b"\r\n\r\n" + body


def test_requests_sent_ahead_are_answered_in_turn(sink: Sink) -> None:
    before = spans(sink)
    received = exchange(sink, post(REQUEST) * 4 + post(b"", b"Connection: close"))
    assert received.count(b"HTTP/1.1 200 OK\r\n") == 5
    assert b"connection: close" in received
    assert spans(sink) - before == 12


def test_an_old_client_gets_its_answer_and_the_end(sink: Sink) -> None:
    assert exchange(sink, post(REQUEST, version=b"HTTP/1.0")).startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_asks_whether_to_go_on_may(sink: Sink) -> None:
    received = exchange(sink, post(REQUEST, b"Expect: 100-continue", b"Connection: close"))
    assert received.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00", b"nonsense\r\n\r\n", b"x" * 70_000])
def test_what_is_not_http_is_hung_up_on(sink: Sink, data: bytes) -> None:
    with suppress(ConnectionResetError):  # when it is hung up before all was read
        assert exchange(sink, data) == b""
    assert exchange(sink, post(b"", b"Connection: close")).startswith(b"HTTP/1.1 200 OK")
