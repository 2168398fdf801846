"""Targets for query loads: real HTTP servers, and sockets that answer anything, on free ports of this machine."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

TRACE_ID = "00f067aa0ba902b7"
TAGS = {"scopes": [{"name": "span", "tags": ["a", "b"]}, {"name": "resource", "tags": ["a"]}]}
VALUES = {"tagValues": [{"type": "string", "value": "x"}, {"type": "int", "value": "1"}]}
Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class FakeTempo:
    """Answers every search with the same trace, and counts; what it does wrong is for the test to choose."""

    delay_s: float = 0.0
    status: int = 200
    has_v2: bool = True
    traces: int = 1
    spans: int = 3
    good_first: int = 0
    """So many requests are answered well whatever the status."""
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[web.Request] = field(default_factory=list)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/api/search", self._search)
        app.router.add_get("/api/v2/traces/{id}", self._trace)
        app.router.add_get("/api/traces/{id}", self._trace_v1)
        app.router.add_get("/api/echo", self._echo)
        if self.has_v2:
            app.router.add_get("/api/v2/search/tags", self._answer(TAGS))
            app.router.add_get("/api/v2/search/tag/{tag}/values", self._answer(VALUES))
        app.router.add_get("/api/search/tags", self._answer({"tagNames": ["a", "b"]}))
        app.router.add_get("/api/search/tag/{tag}/values", self._answer({"tagValues": ["x", "y"]}))
        app.router.add_get("/api/metrics/query_range", self._range)
        app.router.add_get("/api/metrics/query", self._answer({"series": [{"labels": [], "value": 3}]}))
        return app

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    async def _search(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        await asyncio.sleep(self.delay_s)
        if self.status != 200 and len(self.requests) > self.good_first:
            return web.Response(status=self.status, text="no\n", headers=self.headers)
        end_s = int(request.query.get("end", time.time()))
        return web.Response(body=search_answer(end_s, self.traces), content_type="application/json")

    async def _echo(self, _request: web.Request) -> web.Response:
        return web.Response(text="echo\n")

    def _answer(self, answer: dict[str, Any]) -> Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]:
        async def handler(request: web.Request) -> web.StreamResponse:
            self.requests.append(request)
            return web.json_response(answer)

        return handler

    async def _range(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        end_ms = int(request.query.get("end", time.time())) * 1000
        samples = [{"timestampMs": str(end_ms - 1000 * ago), "value": ago} for ago in (2, 1, 0)]
        series = [{"labels": [{"key": "k", "value": {"stringValue": str(n)}}], "samples": samples} for n in range(4)]
        return web.json_response({"series": series, "metrics": {"inspectedSpans": "99"}})

    async def _trace(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        if not self.has_v2:
            return web.Response(status=404, text="404 page not found")
        return web.Response(body=in_response(trace(request.match_info["id"], self.spans)))

    async def _trace_v1(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        return web.Response(body=trace(request.match_info["id"], self.spans))


def search_answer(end_s: int, traces: int = 1, trace_id: str = TRACE_ID) -> bytes:
    one = {
        "traceID": trace_id,
        "startTimeUnixNano": str((end_s - 1) * 10**9),
        "durationMs": 10,
        "spanSets": [{"matched": 5, "spans": [{"spanID": "0000000000000001"}, {"spanID": "0000000000000002"}]}],
    }
    found = [one | {"traceID": f"{int(trace_id, 16) + number:x}"} for number in range(traces)]
    return json.dumps({"traces": found, "metrics": {"inspectedSpans": "1234"}}).encode()


def trace(trace_id: str, spans: int) -> bytes:
    parts = [Span(trace_id=bytes.fromhex(trace_id.rjust(32, "0")), span_id=b"%08d" % n) for n in range(spans)]
    return TracesData(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=parts)])]).SerializeToString()


def in_response(trace: bytes) -> bytes:
    """As field 1 of TraceByIDResponse."""
    length, size = bytearray(), len(trace)
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return b"\x0a" + bytes([*length, size]) + trace if trace else b""


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """The app's address, in the test's own loop."""
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def conversing(conversation: Conversation) -> AsyncIterator[str]:
    """The address of a socket that says what it likes; it is closed after that."""
    conversations: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await conversation(reader, writer)
            await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.add(asyncio.ensure_future(converse(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.wait_for(asyncio.gather(*conversations), 10)


@contextmanager
def serving_in_a_thread(app: web.Application) -> Iterator[str]:
    """The same for tests that are no coroutines."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    context = serving(app)

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(10)

    try:
        yield run(context.__aenter__())
        run(context.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def wait_until(happened: Callable[[], bool], patience_s: float = 20.0) -> None:
    give_up = time.monotonic() + patience_s
    while not happened():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.01)
