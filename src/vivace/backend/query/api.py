"""Tempo's HTTP query API: requests in, JSON, protobuf or plain-text errors out."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from vivace import __version__
from vivace.backend.query.exposition import Metrics
from vivace.backend.query.otlp_json import batches_json, dumped
from vivace.backend.query.parameters import metrics_parameters, search_parameters, search_window, trace_id
from vivace.backend.query.querier import UNREADABLE, Check, Querier, Selection, TraceAnswer
from vivace.backend.query.queriers import Queriers, Reading
from vivace.backend.query.shown import Json
from vivace.backend.query.status import Status, overrides, written_lately
from vivace.backend.query.tags_api import names_v1, names_v2, values_v1, values_v2
from vivace.backend.query.workers import Abandoned, Overloaded, TimedOut, Workers
from vivace.backend.tenant.identity import HEADER, TenantError
from vivace.errors import QueryError, VivaceError

PROTOBUF: Final = "application/protobuf"
COMPATIBLE: Final = "3.1.0"
"""The version of Tempo whose API this is; clients choose features by it."""
ABANDONED: Final = 499
RECEIVER_METRICS: Final = "receiver.prom"

GZIP_BYTES: Final = 4096
"""Answers of this size are compressed for who takes them so."""
GZIP_LEVEL: Final = 1
BODY_BYTES: Final = 1 << 20
"""What is asked stands in the URL; a larger body is refused unread."""

Handler = Callable[[Request], Awaitable[Response]]
Work = Callable[[Check], Response]
"""What a worker thread does for a request."""


class Api:
    """The routes, over queriers and the threads that they work in."""

    def __init__(
        self, queriers: Queriers, workers: Workers, metrics: Metrics, folder: Path, told: Mapping[str, object]
    ) -> None:
        """`folder` is where the other processes write their metrics; `told` is what the process was started with."""
        self._queriers = queriers
        self._metrics_folder = folder
        self._told = told
        self._workers = workers
        self._metrics = metrics

    def application(self) -> Starlette:
        """The ASGI application."""
        routes = self._routes()
        status = Status(self._metrics_folder, self._told, [route.path for route in routes], self._queriers.overrides)
        application = Starlette(
            routes=[
                *routes,
                self._route("/status", "status", status.everything),
                self._route("/status/version", "status_version", status.version),
                self._route("/status/services", "status_services", status.services),
                self._route("/status/endpoints", "status_endpoints", status.endpoints),
                self._route("/status/config", "status_config", status.config),
                self._route("/status/overrides", "status_overrides", status.limits),
                self._route("/status/overrides/{tenant}", "status_overrides_tenant", status.limits_of),
                self._route("/status/runtime_config", "status_runtime_config", status.runtime_config),
                self._route("/api/overrides", "api_overrides", self._overrides, ["GET", "POST", "PATCH", "DELETE"]),
            ],
            middleware=[Middleware(GZipMiddleware, minimum_size=GZIP_BYTES, compresslevel=GZIP_LEVEL)],
            exception_handlers={HTTPException: _refused},
        )
        application.router.redirect_slashes = False
        return application

    def _routes(self) -> list[Route]:
        return [
            self._query("/api/search", "api_search", "search", self._search),
            self._query("/api/traces/{trace_id}", "api_traces_traceid", "traces", self._trace),
            self._query("/api/v2/traces/{trace_id}", "api_v2_traces_traceid", "traces", self._trace_v2),
            self._query("/api/metrics/query_range", "api_metrics_query_range", "metrics", self._metrics_range),
            self._query("/api/metrics/query", "api_metrics_query", "metrics", self._metrics_instant),
            self._query("/api/search/tags", "api_search_tags", "metadata", _named(names_v1)),
            self._query("/api/v2/search/tags", "api_v2_search_tags", "metadata", _named(names_v2)),
            self._query("/api/search/tag/{tag:path}/values", "api_search_tag_values", "metadata", _valued(values_v1)),
            self._query(
                "/api/v2/search/tag/{tag:path}/values", "api_v2_search_tag_values", "metadata", _valued(values_v2)
            ),
            self._route("/api/echo", "api_echo", _echo),
            self._route("/api/status/buildinfo", "api_status_buildinfo", _build_info),
            self._route("/ready", "ready", self._readiness),
            self._route("/metrics", "metrics", self._exposition),
        ]

    def _route(self, path: str, name: str, handler: Handler, methods: Sequence[str] = ("GET", "POST")) -> Route:
        async def observed(request: Request) -> Response:
            started = time.perf_counter()
            response = await _answered(request, handler)
            self._metrics.observe(request.method, name, response.status_code, time.perf_counter() - started)
            return response

        return Route(path, observed, methods=list(methods), name=name)

    def _query(self, path: str, name: str, operation: str, asked: Callable[[Request, Reading], Work]) -> Route:
        """A route that asks a querier for something."""

        async def handler(request: Request) -> Response:
            reading = self._queriers.reading(request.headers.get(HEADER))
            work = _compressing(request, asked(request, reading))
            with self._metrics.counted(reading.tenant, operation):
                return await self._workers.run(request, work, reading.allowance)

        return self._route(path, name, handler)

    def _search(self, request: Request, reading: Reading) -> Work:
        parameters = search_parameters(request.query_params, time.time_ns(), reading.search_ns)
        return lambda check: _json(reading.querier.search(parameters, check))

    def _metrics_range(self, request: Request, reading: Reading) -> Work:
        parameters = metrics_parameters(request.query_params, time.time_ns(), reading.metrics_ns)
        return lambda check: _json(reading.querier.metrics_range(parameters, check))

    def _metrics_instant(self, request: Request, reading: Reading) -> Work:
        parameters = metrics_parameters(request.query_params, time.time_ns(), reading.metrics_ns)
        return lambda check: _json(reading.querier.metrics_instant(parameters, check))

    def _trace(self, request: Request, reading: Reading) -> Work:
        protobuf = PROTOBUF in request.headers.get("accept", "")
        find = _finding(request, reading)

        def work(check: Check) -> Response:
            found = find(check)
            if found.too_large:
                return PlainTextResponse(_too_large(reading), 422)
            if not found.trace.resource_spans:
                return Response(status_code=404)
            if protobuf:
                return Response(found.trace.SerializeToString(), media_type=PROTOBUF)
            return _json_text(b'{"batches":' + batches_json(found.trace, check) + b"}")

        return work

    def _trace_v2(self, request: Request, reading: Reading) -> Work:
        protobuf = PROTOBUF in request.headers.get("accept", "")
        find = _finding(request, reading, request.query_params.get("q", ""))

        def work(check: Check) -> Response:
            found = find(check)
            missing = _too_large(reading) if found.too_large else UNREADABLE if found.unreadable else ""
            if protobuf:
                return Response(_trace_response(found.trace, missing), media_type=PROTOBUF)
            spans = b'"resourceSpans":' + batches_json(found.trace, check) if found.trace.resource_spans else b""
            rest = _dumped({"metrics": {}} | ({"status": "PARTIAL", "message": missing} if missing else {}))
            return _json_text(b'{"trace":{' + spans + b"}," + rest[1:])

        return work

    async def _overrides(self, request: Request) -> Response:
        reading = self._queriers.reading(request.headers.get(HEADER))
        limits = [self._queriers.overrides.of(tenant).shown() for tenant in reading.tenant.split("|")]
        return overrides(request, limits[0])

    async def _readiness(self, _: Request) -> Response:
        ready = await asyncio.to_thread(self._able)
        return PlainTextResponse("ready\n") if ready else PlainTextResponse("not ready\n", 503)

    def _able(self) -> bool:
        try:
            self._queriers.refresh()
        except (OSError, VivaceError):
            return False
        return written_lately(self._metrics_folder / RECEIVER_METRICS)

    async def _exposition(self, _: Request) -> Response:
        self._metrics.unreadable.set(len(self._queriers.left_out))
        self._metrics.queue.set(sum(self._workers.waiting().values()))
        text = await asyncio.to_thread(self._metrics.text, self._metrics_folder)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _compressing(request: Request, work: Work) -> Work:
    """Large answers are compressed by the thread that makes them, so that no other answer waits for that."""
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return work

    def compressing(check: Check) -> Response:
        response = work(check)
        if len(response.body) >= GZIP_BYTES:
            response.body = gzip.compress(response.body, GZIP_LEVEL, mtime=0)
            response.headers["Content-Length"] = str(len(response.body))
            response.headers["Content-Encoding"] = "gzip"
            response.headers.add_vary_header("Accept-Encoding")
        return response

    return compressing


def _named(answer: Callable[[Querier, Mapping[str, str], Check], Json]) -> Callable[[Request, Reading], Work]:
    return lambda request, reading: lambda check: _json(answer(reading.querier, request.query_params, check))


def _valued(answer: Callable[[Querier, str, Mapping[str, str], Check], Json]) -> Callable[[Request, Reading], Work]:
    return lambda request, reading: (
        lambda check: _json(answer(reading.querier, request.path_params["tag"], request.query_params, check))
    )


def _finding(request: Request, reading: Reading, query: str = "") -> Callable[[Check], TraceAnswer]:
    identity = trace_id(request.path_params["trace_id"])
    search_window(request.query_params)
    above = request.query_params.get("keep_hierarchy", "").lower() in ("true", "1")
    selection = Selection(query, with_ancestors=above) if query else None
    return lambda check: reading.querier.trace(identity, check, selection, reading.trace_bytes)


def _too_large(reading: Reading) -> str:
    return f"trace exceeds max size (max bytes: {reading.trace_bytes})"


def _trace_response(trace: TracesData, missing: str) -> bytes:
    """TraceByIDResponse: the trace, and what is missing of it as the fields status and message."""
    data, message = trace.SerializeToString(), missing.encode()
    partial = b"\x18\x01\x22" + _varint(len(message)) + message if missing else b""
    return b"\x0a" + _varint(len(data)) + data + partial


async def _answered(request: Request, handler: Handler) -> Response:
    """The handler's response, or the plain text of what is wrong."""
    if _body_bytes(request) > BODY_BYTES:
        return PlainTextResponse(f"request body too large: send {BODY_BYTES} bytes at most", 413)
    try:
        return await handler(request)
    except TenantError as error:
        return PlainTextResponse(error.message, error.status)
    except tuple(_STATUSES) as error:
        status = next(_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES)
        return PlainTextResponse(f"{_TEXTS.get(type(error), '')}{error}", status)


_STATUSES: Final[Mapping[type[BaseException], int]] = {
    QueryError: 400,
    Overloaded: 429,
    Abandoned: ABANDONED,
    VivaceError: 500,
    OSError: 500,
    TimedOut: 504,
}
_TEXTS: Final[Mapping[type[BaseException], str]] = {
    Abandoned: "the client has gone",
    TimedOut: "the query took longer than is allowed; ask for less, or for a shorter time",
}


def _body_bytes(request: Request) -> int:
    said = request.headers.get("content-length", "0")
    return int(said) if said.isascii() and said.isdigit() else 0


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    return PlainTextResponse("404 page not found" if error.status_code == 404 else error.detail, error.status_code)


async def _echo(_: Request) -> Response:
    return PlainTextResponse("echo\n")


async def _build_info(_: Request) -> Response:
    return _json(
        {
            "version": COMPATIBLE,
            "revision": f"vivace-{__version__}",
            "branch": "",
            "buildUser": "",
            "buildDate": "",
            "goVersion": "",
        }
    )


def _json(document: Mapping[str, object]) -> Response:
    return _json_text(_dumped(document))


def _json_text(text: bytes) -> Response:
    return Response(text, media_type="application/json")


def _dumped(document: Mapping[str, object]) -> bytes:
    return dumped(document).encode()


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
