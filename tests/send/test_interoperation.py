"""Servers that others wrote understand what is sent: grpcio's, aiohttp's, and Starlette's under uvicorn."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
import uvicorn
from aiohttp import web
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from tests.send.certificates import Authority
from tests.send.exporting import answers_of, answers_over, exporter_over
from tests.send.requests import trace_request
from tests.send.servers import _Exports, acknowledge, grpc_server

from vivace.send.answer import Answer, Outcome
from vivace.send.compress import decompress
from vivace.send.transport import Compression, OtlpProtocol, Tls, Transport

HTTP = [OtlpProtocol.HTTP_PROTOBUF, OtlpProtocol.HTTP_JSON]
REQUEST = trace_request(50)
Behaviour = Callable[[web.Request, bytes], web.Response]


@contextmanager
def aiohttp_server(behave: Behaviour) -> Iterator[str]:
    """Answers every POST as it is told; gives host:port."""

    async def handle(request: web.Request) -> web.Response:
        return behave(request, await request.read())

    async def serve() -> None:
        application = web.Application(client_max_size=1 << 30)
        application.router.add_post("/{path:.*}", handle)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        addresses.append(runner.addresses[0])
        ready.set()
        await asyncio.to_thread(done.wait)
        await runner.cleanup()

    addresses: list[tuple[str, int]] = []
    ready, done = threading.Event(), threading.Event()
    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield f"{addresses[0][0]}:{addresses[0][1]}"
    finally:
        done.set()
        thread.join(10)


@contextmanager
def uvicorn_server(application: Starlette) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(application, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.mark.parametrize("protocol", HTTP)
@pytest.mark.parametrize("compression", [Compression.NONE, Compression.GZIP])
def test_aiohttp_reads_what_is_sent(protocol: OtlpProtocol, compression: Compression) -> None:
    seen: list[tuple[str, str, str, bytes]] = []

    def keep(request: web.Request, body: bytes) -> web.Response:
        headers = request.headers
        seen.append((request.path, headers["content-type"], headers["x-tenant"], body))
        return web.Response(body=b"")

    with aiohttp_server(keep) as endpoint:
        answers = answers_over(
            *[REQUEST] * 20,
            endpoints=(endpoint,),
            protocol=protocol,
            compression=compression,
            headers={"X-Tenant": "one"},
            prefix="/otlp",
        )
    assert set(answers) == {Answer(Outcome.ACKNOWLEDGED, "OK")}
    assert {one[:3] for one in seen} == {
        ("/otlp/v1/traces", f"application/{'json' if 'json' in protocol else 'x-protobuf'}", "one")
    }
    assert len(seen) == 20
    spans = {_span_count(body, as_json="json" in protocol) for *_, body in seen}
    assert spans == {50}


def _span_count(body: bytes, as_json: bool) -> int:
    if not as_json:
        request = ExportTraceServiceRequest.FromString(body)
        return len(request.resource_spans[0].scope_spans[0].spans)
    return len(json.loads(body)["resourceSpans"][0]["scopeSpans"][0]["spans"])


def test_partial_success_in_json_as_others_write_it() -> None:
    partial = ExportTracePartialSuccess(rejected_spans=3, error_message="too old")
    text = json_format.MessageToJson(ExportTraceServiceResponse(partial_success=partial))

    def reject(_request: web.Request, _body: bytes) -> web.Response:
        return web.Response(text=text, content_type="application/json")

    with aiohttp_server(reject) as endpoint:
        [answer] = answers_over(REQUEST, endpoints=(endpoint,), protocol=OtlpProtocol.HTTP_JSON)
    assert answer == Answer(Outcome.ACKNOWLEDGED, "OK", "too old", 3)


@pytest.mark.parametrize("compression", list(Compression))
@pytest.mark.parametrize("close", [True, False])
def test_starlette_keeps_connections_or_not(close: bool, compression: Compression) -> None:
    seen: list[bytes] = []

    async def export(request: Request) -> Response:
        body, encoding = await request.body(), request.headers.get("content-encoding", "")
        seen.append(decompress(body, encoding) if encoding else body)
        return Response(b"", media_type="application/x-protobuf", headers={"connection": "close"} if close else None)

    application = Starlette(routes=[Route("/v1/traces", export, methods=["POST"])])
    with uvicorn_server(application) as endpoint:
        transport = Transport(endpoints=(endpoint,), protocol=OtlpProtocol.HTTP_PROTOBUF, compression=compression)
        with exporter_over(transport) as exporter:
            for _ in range(5):
                answers = answers_of(exporter, *[REQUEST] * 4)
                assert set(answers) == {Answer(Outcome.ACKNOWLEDGED, "OK")}
    assert seen == [REQUEST] * 20


def test_starlettes_errors_are_failures_with_their_words() -> None:
    async def slow_down(_request: Request) -> Response:
        return PlainTextResponse("slow  down,\nplease", 429, headers={"retry-after": "7"})

    application = Starlette(routes=[Route("/v1/traces", slow_down, methods=["POST"])])
    with uvicorn_server(application) as endpoint:
        [answer] = answers_over(REQUEST, endpoints=(endpoint,), protocol=OtlpProtocol.HTTP_PROTOBUF)
        [other] = answers_over(REQUEST, endpoints=(endpoint,), protocol=OtlpProtocol.HTTP_PROTOBUF, prefix="/x")
    assert answer == Answer(Outcome.FAILED, "HTTP 429", "slow down, please", 0, True, 7.0)
    assert other == Answer(Outcome.FAILED, "HTTP 404", "Not Found")


def test_chunked_answers_are_read() -> None:
    response = ExportTraceServiceResponse(partial_success=ExportTracePartialSuccess(error_message="m" * 5000))

    async def export(_request: Request) -> Response:
        body = response.SerializeToString()
        return StreamingResponse(iter([body[:10], body[10:4000], body[4000:]]), media_type="application/x-protobuf")

    application = Starlette(routes=[Route("/v1/traces", export, methods=["POST"])])
    with uvicorn_server(application) as endpoint:
        answers = answers_over(*[REQUEST] * 3, endpoints=(endpoint,), protocol=OtlpProtocol.HTTP_PROTOBUF)
    assert set(answers) == {Answer(Outcome.ACKNOWLEDGED, "OK", "m" * 300)}


@pytest.mark.parametrize("compression", [Compression.NONE, Compression.GZIP])
@pytest.mark.parametrize("mutual", [False, True])
def test_grpcio_takes_secure_and_compressed_requests(tmp_path: Path, compression: Compression, mutual: bool) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("server", "127.0.0.1")
    client_cert, client_key = authority.issue("client", "client")
    credentials = grpc.ssl_server_credentials(
        [(key.read_bytes(), cert.read_bytes())], authority.file.read_bytes() if mutual else None, mutual
    )
    seen: list[bytes] = []

    def keep(request: bytes, context: grpc.ServicerContext) -> bytes:
        seen.append(request)
        return acknowledge(request, context)

    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers((_Exports(keep),))
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    tls = Tls(
        ca_file=authority.file,
        cert_file=client_cert if mutual else None,
        key_file=client_key if mutual else None,
    )
    payloads = [trace_request(count) for count in (1, 100, 50_000)]
    try:
        answers = answers_over(*payloads, endpoints=(f"127.0.0.1:{port}",), compression=compression, tls=tls)
    finally:
        server.stop(grace=None).wait()
    assert set(answers) == {Answer(Outcome.ACKNOWLEDGED, "OK")}
    assert sorted(seen) == sorted(payloads)


def test_a_compression_that_grpcio_does_not_know_is_refused() -> None:
    with grpc_server(acknowledge) as endpoint:
        [answer] = answers_over(REQUEST, endpoints=(endpoint,), compression=Compression.ZSTD)
    assert (answer.outcome, answer.status) in {(Outcome.FAILED, "UNIMPLEMENTED"), (Outcome.FAILED, "INTERNAL")}
