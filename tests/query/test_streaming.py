"""Searches over gRPC: parts are put together, and every end is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from vivace.query.answer import Answer, Failure
from vivace.query.bucket import Window
from vivace.query.client import Client
from vivace.query.kind import Kind
from vivace.query.plan import NamedQuery, PlanEntry
from vivace.query.settings import QuerySettings
from vivace.query.tempo_messages import SearchRequest, SearchResponse
from vivace.send.clock import Clock

Make = Callable[..., QuerySettings]
Handler = Callable[[bytes, Any], AsyncIterator[bytes]]
QUERY = NamedQuery("stream", "{ status = error }", Kind.STREAMING_SEARCH)
WINDOW = Window(1000, 1100)


def part(*traces: tuple[str, int], inspected: int = 0) -> bytes:
    response: Any = SearchResponse()
    for trace_id, matched in traces:
        trace = response.traces.add(trace_id=trace_id, start_time_unix_nano=1050 * 10**9, duration_ms=5)
        trace.span_sets.add(matched=matched).spans.add(span_id="00000000000000a1")
    if inspected:
        response.metrics.inspected_spans = inspected
    return bytes(response.SerializeToString())


def asked(settings: Make, handler: Handler, **changes: object) -> Answer:
    """The answer of a real server that streams what the handler gives."""

    async def ask() -> Answer:
        server = grpc.aio.server()
        methods: dict[str, Any] = {"Search": grpc.unary_stream_rpc_method_handler(handler)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tempopb.StreamingQuerier", methods),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        made = settings(
            base_url=f"http://127.0.0.1:{port}", queries=(QUERY,), plan=(PlanEntry("stream"),), tenant="team", **changes
        )
        try:
            async with Client(made, Clock()) as client:
                return await client.ask(QUERY, WINDOW)
        finally:
            await server.stop(None)

    return asyncio.run(_in_time(ask()))


async def _in_time(asking: Awaitable[Answer]) -> Answer:
    return await asyncio.wait_for(asking, 20)


def test_parts_are_put_together(settings: Make) -> None:
    seen: list[Any] = []

    async def handler(request: bytes, context: Any) -> AsyncIterator[bytes]:
        seen.append((SearchRequest.FromString(request), dict(context.invocation_metadata())))
        yield part(("1", 1), ("2", 4), inspected=10)
        yield part(("1", 3))
        yield part(inspected=50)

    answer = asked(settings, handler)
    assert answer.found is not None, answer.message
    assert (answer.found.traces, answer.found.spans, answer.found.inspected_spans) == (2, 2, 50)
    assert [trace.matched for trace in answer.found.seen] == [3, 4]
    request, metadata = seen[0]
    assert (request.query, request.start, request.end, request.limit) == ("{ status = error }", 1000, 1100, 20)
    assert metadata["x-scope-orgid"] == "team"


def test_a_refusal_is_kept_with_its_words(settings: Make) -> None:
    async def handler(_request: bytes, context: Any) -> AsyncIterator[bytes]:
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "job queue full")
        yield b""

    answer = asked(settings, handler)
    assert (answer.failure, answer.status) == (Failure.STATUS, 8)
    assert answer.message == "RESOURCE_EXHAUSTED: job queue full"


def test_silence_ends_with_the_timeout(settings: Make) -> None:
    async def handler(_request: bytes, _context: Any) -> AsyncIterator[bytes]:
        await asyncio.sleep(30)
        yield b""

    assert asked(settings, handler, timeout_s=0.3).failure is Failure.TIMEOUT


def test_too_many_traces_are_wrong(settings: Make) -> None:
    async def handler(_request: bytes, _context: Any) -> AsyncIterator[bytes]:
        yield part(("1", 1), ("2", 1))

    assert asked(settings, handler, limit=1).failure is Failure.WRONG


def test_what_is_no_answer_is_unreadable(settings: Make) -> None:
    async def handler(_request: bytes, _context: Any) -> AsyncIterator[bytes]:
        yield b"\xff\xff"

    assert asked(settings, handler).failure is Failure.UNREADABLE


def test_an_answer_without_end_is_given_up(settings: Make) -> None:
    async def handler(_request: bytes, _context: Any) -> AsyncIterator[bytes]:
        while True:
            yield part(("1", 1)) * 100

    answer = asked(settings, handler, largest_answer=100_000)
    assert (answer.failure, answer.message) == (Failure.UNREADABLE, "the answer is larger than 100000 bytes")


def test_nobody_there(settings: Make) -> None:
    async def ask() -> Answer:
        made = settings(base_url="http://127.0.0.1:1", queries=(QUERY,), plan=(PlanEntry("stream"),))
        async with Client(made, Clock()) as client:
            return await client.ask(QUERY, WINDOW)

    assert asyncio.run(ask()).failure is Failure.CONNECTION
