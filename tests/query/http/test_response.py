"""Responses are read the same however they are cut into pieces, and nothing is taken for what it is not."""

from __future__ import annotations

import gzip
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivace.query.http.response import NotHttp, ResponseReader, TooLarge

BODY = b'{"traces": []}' * 20
PACKED = gzip.compress(BODY)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def chunked(body: bytes, size: int = 7) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x;a=b\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nTrailer: x\r\n\r\n"


RESPONSES = {
    "by length": HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "in chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(BODY),
    "compressed": HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(PACKED) + PACKED,
    "compressed in chunks": HEAD + b"Content-Encoding: GZIP\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(PACKED),
    "after a hint": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + HEAD + b"Content-Length: 280\r\n\r\n" + BODY,
}


def read(pieces: list[bytes], largest: int = 10_000) -> ResponseReader:
    reader = ResponseReader(largest)
    for piece in pieces:
        reader.feed(piece)
    return reader


@pytest.mark.parametrize("response", RESPONSES.values(), ids=RESPONSES)
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_a_response_is_the_same_however_it_is_cut(response: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(response) - 1), max_size=12)))
    edges = [0, *cuts, len(response)]
    reader = read([response[start:stop] for start, stop in pairwise(edges)])
    assert reader.complete
    assert reader.reusable
    assert (reader.status, bytes(reader.body)) == (200, BODY)


def test_without_a_length_the_connection_s_end_is_the_body_s() -> None:
    reader = read([HEAD + b"\r\n" + BODY[:100], BODY[100:]])
    assert not reader.complete
    reader.end()
    assert (reader.complete, reader.reusable, bytes(reader.body)) == (True, False, BODY)


@pytest.mark.parametrize(
    ("head", "reusable"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n", True),
    ],
)
def test_a_connection_is_kept_as_the_target_says(head: bytes, reusable: bool) -> None:
    reader = read([head])
    assert (reader.complete, reader.reusable) == (True, reusable)


@pytest.mark.parametrize(
    "response",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"\0" * 100,
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n12",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 12\r\n\r\n" + PACKED[:12],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000,
    ],
    ids=lambda response: repr(response[:60]),
)
def test_what_is_no_response_is_refused(response: bytes) -> None:
    with pytest.raises(NotHttp):
        read([response])


@pytest.mark.parametrize("cut", [10, 60, 90])
def test_an_end_that_comes_too_early_is_noticed(cut: int) -> None:
    reader = read([RESPONSES["by length"][:cut]])
    with pytest.raises(NotHttp):
        reader.end()


def test_a_small_response_that_unpacks_to_a_large_one_is_given_up_early() -> None:
    packed = gzip.compress(b" " * 50_000_000)
    reader = ResponseReader(100_000)
    with pytest.raises(TooLarge):
        reader.feed(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)
    assert len(reader.body) == 100_001
