"""Responses survive whatever pieces they arrive in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivace.send.connection import ProtocolError
from vivace.send.http1.response import ResponseReader

BODIES = st.binary(max_size=400)


def with_length(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-A:  b \r\n\r\n" % len(body) + body


def in_chunks(body: bytes) -> bytes:
    chunks = b"".join(b"%X;x=y\r\n" % len(part) + part + b"\r\n" for part in (body[:7], body[7:]) if part)
    return b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nTrailer: t\r\n\r\n"


def read(data: bytes, sizes: list[int]) -> tuple[list[tuple[int, bytes]], ResponseReader]:
    """Feeds the bytes in pieces of these sizes, then the rest."""
    reader, seen, at = ResponseReader(), [], 0
    for size in [*sizes, len(data)]:
        piece = data[at : at + size]
        at += len(piece)
        reader.room()[: len(piece)] = piece
        seen += [(response.head.status, response.body) for response in reader.received(len(piece))]
    return seen, reader


@given(st.lists(st.tuples(st.booleans(), BODIES), max_size=5), st.lists(st.integers(0, 60), max_size=30))
def test_responses_are_cut_whatever_pieces_they_arrive_in(parts: list[tuple[bool, bytes]], sizes: list[int]) -> None:
    data = b"".join((in_chunks if chunked else with_length)(body) for chunked, body in parts)
    seen, _ = read(data, sizes)
    assert seen == [(404 if chunked else 200, body) for chunked, body in parts]


@given(BODIES, st.lists(st.integers(0, 60), max_size=10))
def test_a_body_without_a_length_ends_with_the_connection(body: bytes, sizes: list[int]) -> None:
    seen, reader = read(b"HTTP/1.0 200 OK\r\n\r\n" + body, sizes)
    assert seen == []
    response = reader.finished()
    assert response is not None
    assert (response.body, response.head.keep) == (body, False)


def test_what_comes_before_the_answer_is_skipped() -> None:
    seen, _ = read(b"HTTP/1.1 100 Continue\r\n\r\n" + with_length(b"hello"), [])
    assert seen == [(200, b"hello")]


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_some_statuses_have_no_body(status: bytes) -> None:
    seen, _ = read(b"HTTP/1.1 " + status + b"\r\ncontent-length: 5\r\n\r\n" + with_length(b"x"), [])
    assert [body for _, body in seen] == [b"", b"x"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "its first words are not HTTP/1.1"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "speaks TLS there"),
        (b"\x00\x00\x06\x04\x00\x00\x00\x00\x00", "set protocol: grpc"),
        (b"HTTP/1.1 abc\r\n\r\n", "HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", "headers that cannot be read"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", "a content-length that is no number"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "a chunk without a size"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n", "a chunk without a size"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"1" * 300, "a chunk without a size"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", "an answer of more than"),
    ],
)
def test_what_is_no_response_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        read(data, [])


def test_headers_that_do_not_end_are_refused() -> None:
    with pytest.raises(ProtocolError):
        read(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000, [60_000])
