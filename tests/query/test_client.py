"""Whatever a target does, a request ends in an answer that says what became of it, in time and within bounds."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from aiohttp import web
from tests.query.fake_tempo import TRACE_ID, FakeTempo, conversing, search_answer, serving

from vivace.query.answer import Answer, Failure, Found
from vivace.query.bucket import Window
from vivace.query.client import Client
from vivace.query.plan import NamedQuery
from vivace.query.settings import QuerySettings
from vivace.send.clock import Clock

Make = Callable[..., QuerySettings]
WINDOW = Window(1000, 1100)
QUERY = NamedQuery("all", '{ .a = "b c" }')


def search(settings: Make, target: AbstractAsyncContextManager[str], **changes: object) -> Answer:
    async def ask() -> Answer:
        async with target as url, Client(settings(base_url=url, **changes), Clock()) as client:
            return await client.ask(QUERY, WINDOW)

    return asyncio.run(ask())


def counts(found: Found) -> tuple[int | None, int | None, int | None, str | None]:
    return found.traces, found.spans, found.inspected_spans, found.first


def found_in(answer: Answer) -> tuple[int | None, int | None]:
    assert answer.found is not None
    return answer.found.traces, answer.found.spans


def says(text: bytes) -> AbstractAsyncContextManager[str]:
    """A socket that answers so, and closes."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text)

    return conversing(converse)


def response(body: bytes, length: int | None = None, extra: str = "") -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{extra}Content-Length: {length or len(body)}\r\n\r\n"
    return head.encode() + body


def test_a_search(settings: Make) -> None:
    tempo = FakeTempo()
    answer = search(settings, serving(tempo.app()), limit=7, tenant="team-a", bearer="secret")
    assert answer.found is not None
    assert counts(answer.found) == (1, 2, 1234, TRACE_ID.rjust(32, "0"))
    assert (answer.status, answer.size) == (200, len(search_answer(1100)))
    request = tempo.requests[0]
    assert dict(request.query) == {"q": '{ .a = "b c" }', "limit": "7", "start": "1000", "end": "1100"}
    assert request.headers["X-Scope-OrgID"] == "team-a"
    assert request.headers["Authorization"] == "Bearer secret"


def test_a_trace_and_its_older_api(settings: Make) -> None:
    async def fetch(tempo: FakeTempo) -> list[Answer]:
        async with serving(tempo.app()) as url, Client(settings(base_url=url + "/"), Clock()) as client:
            return [await client.trace(TRACE_ID) for _ in range(2)]

    new, old = FakeTempo(spans=200), FakeTempo(spans=200, has_v2=False)
    assert [found_in(answer) for answer in asyncio.run(fetch(new))] == [(1, 200)] * 2
    assert new.paths() == [f"/api/v2/traces/{TRACE_ID}"] * 2
    assert new.requests[0].headers["Accept"] == "application/protobuf"
    assert [found_in(answer) for answer in asyncio.run(fetch(old))] == [(1, 200)] * 2
    assert old.paths() == [f"/api/v2/traces/{TRACE_ID}", *[f"/api/traces/{TRACE_ID}"] * 2]


def test_another_status_is_kept_with_its_words(settings: Make) -> None:
    answer = search(settings, serving(FakeTempo(status=429).app()))
    assert (answer.failure, answer.status, answer.message) == (Failure.STATUS, 429, "no")


def test_a_redirect_is_not_followed(settings: Make) -> None:
    async def redirect(_request: web.Request) -> web.Response:
        raise web.HTTPFound("/login")

    app = web.Application()
    app.router.add_get("/api/search", redirect)
    answer = search(settings, serving(app))
    assert (answer.failure, answer.status) == (Failure.STATUS, 302)


def test_nobody_there(settings: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        async def ask() -> Answer:
            async with Client(settings(base_url=f"http://127.0.0.1:{port}"), Clock()) as client:
                return await client.ask(QUERY, WINDOW)

        answer = asyncio.run(ask())
    assert (answer.failure, answer.status, answer.size) == (Failure.CONNECTION, None, 0)
    assert answer.message


def test_no_answer_at_all(settings: Make) -> None:
    async def silence(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    answer = search(settings, conversing(silence), timeout_s=0.2)
    assert (answer.failure, answer.message) == (Failure.TIMEOUT, "no whole answer within 0.2 s")


def test_an_answer_that_never_ends(settings: Make) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response(b" ", length=1000))
        await reader.read()

    answer = search(settings, conversing(drip), timeout_s=0.2)
    assert (answer.failure, answer.status, answer.size) == (Failure.TIMEOUT, 200, 1)


def test_an_answer_that_breaks_off(settings: Make) -> None:
    answer = search(settings, says(response(search_answer(1100), length=10_000)))
    assert (answer.failure, answer.status, answer.size) == (Failure.UNREADABLE, 200, len(search_answer(1100)))
    assert "broke off" in str(answer.message)


def test_a_connection_that_is_closed_instead(settings: Make) -> None:
    assert search(settings, says(b"")).failure is Failure.CONNECTION


@pytest.mark.parametrize("text", [b"SSH-2.0-OpenSSH_9.6\r\n\r\n", b"\x00" * 100, b"HTTP/1.1 abc OK\r\n\r\n"], ids=repr)
def test_an_answer_that_is_not_http(settings: Make, text: bytes) -> None:
    assert search(settings, says(text)).failure is Failure.UNREADABLE


def test_an_answer_that_is_not_json(settings: Make) -> None:
    answer = search(settings, says(response(b"<html>hello</html>")))
    assert (answer.failure, answer.status) == (Failure.UNREADABLE, 200)


def test_an_answer_that_is_not_compressed_as_it_says(settings: Make) -> None:
    answer = search(settings, says(response(b"plain", extra="Content-Encoding: gzip\r\n")))
    assert answer.failure is Failure.UNREADABLE


def test_an_answer_of_a_hundred_megabytes(settings: Make) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response(b"", length=100_000_000))
        for _ in range(100):
            writer.write(b" " * 1_000_000)
            await writer.drain()

    answer = search(settings, conversing(flood), largest_answer=2_000_000)
    assert (answer.failure, answer.status) == (Failure.UNREADABLE, 200)
    assert answer.message == "the answer is larger than 2000000 bytes"
    assert 2_000_000 < answer.size < 10_000_000


def test_more_traces_than_asked_for(settings: Make) -> None:
    answer = search(settings, serving(FakeTempo(traces=3).app()), limit=2)
    assert (answer.failure, answer.status) == (Failure.WRONG, 200)
