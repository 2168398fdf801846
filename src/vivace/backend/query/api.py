"""Tempo's HTTP query API: requests in, JSON, protobuf or plain-text errors out."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
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
from vivace.backend.query.otlp_json import json_of
from vivace.backend.query.parameters import metrics_parameters, search_parameters, search_window, trace_id
from vivace.backend.query.querier import TRACE_BYTES, Check, Querier, Selection
from vivace.backend.query.shown import Json
from vivace.backend.query.status import Status, overrides, written_lately
from vivace.backend.query.tags_api import names_v1, names_v2, values_v1, values_v2
from vivace.backend.query.workers import Abandoned, Overloaded, TimedOut, Workers
from vivace.errors import QueryError, VivaceError

PROTOBUF: Final = "application/protobuf"
COMPATIBLE: Final = "3.1.0"
"""The version of Tempo whose API this is; clients choose features by it."""
ABANDONED: Final = 499
RECEIVER_METRICS: Final = "receiver.prom"

_TOO_LARGE: Final = f"trace exceeds max size (max bytes: {TRACE_BYTES})"
_PARTIAL_PROTOBUF: Final = b"\x18\x01\x22" + bytes([len(_TOO_LARGE)]) + _TOO_LARGE.encode()
"""TraceByIDResponse: the fields status and message."""

Handler = Callable[[Request], Awaitable[Response]]


class Api:
    """The routes, over a querier and the threads that it works in."""

    def __init__(
        self, querier: Querier, workers: Workers, metrics: Metrics, folder: Path, told: Mapping[str, str]
    ) -> None:
        """`folder` is where the other processes write their metrics; `told` is what the process was started with."""
        self._querier = querier
        self._metrics_folder = folder
        self._told = told
        self._workers = workers
        self._metrics = metrics

    def application(self) -> Starlette:
        """The ASGI application."""
        routes = self._routes()
        status = Status(self._metrics_folder, self._told, [route.path for route in routes])
        return Starlette(
            routes=[
                *routes,
                self._route("/status", "status", status.everything),
                self._route("/status/version", "status_version", status.version),
                self._route("/status/services", "status_services", status.services),
                self._route("/status/endpoints", "status_endpoints", status.endpoints),
                self._route("/status/config", "status_config", status.config),
                self._route("/status/overrides", "status_overrides", status.limits),
                self._route("/status/overrides/{tenant}", "status_overrides_tenant", status.limits),
                Route("/api/overrides", overrides, methods=["GET", "POST", "PATCH", "DELETE"]),
            ],
            middleware=[Middleware(GZipMiddleware, minimum_size=4096, compresslevel=1)],
            exception_handlers={HTTPException: _refused},
        )

    def _routes(self) -> list[Route]:
        return [
            self._route("/api/search", "api_search", self._search),
            self._route("/api/traces/{trace_id}", "api_traces_traceid", self._trace),
            self._route("/api/v2/traces/{trace_id}", "api_v2_traces_traceid", self._trace_v2),
            self._route("/api/metrics/query_range", "api_metrics_query_range", self._metrics_range),
            self._route("/api/metrics/query", "api_metrics_query", self._metrics_instant),
            self._route("/api/search/tags", "api_search_tags", self._tag_names),
            self._route("/api/v2/search/tags", "api_v2_search_tags", self._tag_names_v2),
            self._route("/api/search/tag/{tag:path}/values", "api_search_tag_values", self._tag_values),
            self._route("/api/v2/search/tag/{tag:path}/values", "api_v2_search_tag_values", self._tag_values_v2),
            self._route("/api/echo", "api_echo", _echo),
            self._route("/api/status/buildinfo", "api_status_buildinfo", _build_info),
            self._route("/ready", "ready", self._readiness),
            self._route("/metrics", "metrics", self._exposition),
        ]

    def _route(self, path: str, name: str, handler: Handler) -> Route:
        async def observed(request: Request) -> Response:
            started = time.perf_counter()
            response = await _answered(request, handler)
            self._metrics.observe(request.method, name, response.status_code, time.perf_counter() - started)
            return response

        return Route(path, observed, methods=["GET", "POST"], name=name)

    async def _search(self, request: Request) -> Response:
        parameters = search_parameters(request.query_params, time.time_ns())
        return await self._json(request, lambda check: self._querier.search(parameters, check))

    async def _metrics_range(self, request: Request) -> Response:
        parameters = metrics_parameters(request.query_params, time.time_ns())
        return await self._json(request, lambda check: self._querier.metrics_range(parameters, check))

    async def _metrics_instant(self, request: Request) -> Response:
        parameters = metrics_parameters(request.query_params, time.time_ns())
        return await self._json(request, lambda check: self._querier.metrics_instant(parameters, check))

    async def _tag_names(self, request: Request) -> Response:
        return await self._json(request, lambda check: names_v1(self._querier, request.query_params, check))

    async def _tag_names_v2(self, request: Request) -> Response:
        return await self._json(request, lambda check: names_v2(self._querier, request.query_params, check))

    async def _tag_values(self, request: Request) -> Response:
        tag = request.path_params["tag"]
        return await self._json(request, lambda check: values_v1(self._querier, tag, request.query_params, check))

    async def _tag_values_v2(self, request: Request) -> Response:
        tag = request.path_params["tag"]
        return await self._json(request, lambda check: values_v2(self._querier, tag, request.query_params, check))

    async def _trace(self, request: Request) -> Response:
        trace, complete = await self._found(request)
        if not complete:
            return PlainTextResponse(_TOO_LARGE, 422)
        if not trace.resource_spans:
            return Response(status_code=404)
        if PROTOBUF in request.headers.get("accept", ""):
            return Response(trace.SerializeToString(), media_type=PROTOBUF)
        return _json({"batches": json_of(trace)["resourceSpans"]})

    async def _trace_v2(self, request: Request) -> Response:
        trace, complete = await self._found(request, request.query_params.get("q", ""))
        if PROTOBUF in request.headers.get("accept", ""):
            data = trace.SerializeToString()
            body = b"\x0a" + _varint(len(data)) + data
            return Response(body if complete else body + _PARTIAL_PROTOBUF, media_type=PROTOBUF)
        partial = {} if complete else {"status": "PARTIAL", "message": _TOO_LARGE}
        return _json({"trace": json_of(trace), "metrics": {}, **partial})

    async def _found(self, request: Request, query: str = "") -> tuple[TracesData, bool]:
        identity = trace_id(request.path_params["trace_id"])
        search_window(request.query_params)
        above = request.query_params.get("keep_hierarchy", "").lower() in ("true", "1")
        selection = Selection(query, with_ancestors=above) if query else None
        return await self._workers.run(request, lambda check: self._querier.trace(identity, check, selection))

    async def _json(self, request: Request, work: Callable[[Check], Json]) -> Response:
        body = await self._workers.run(request, lambda check: _dumped(work(check)))
        return Response(body, media_type="application/json")

    async def _readiness(self, request: Request) -> Response:
        ready = await self._workers.run(request, lambda _: self._able())
        return PlainTextResponse("ready\n") if ready else PlainTextResponse("not ready\n", 503)

    def _able(self) -> bool:
        try:
            self._querier.refresh()
        except (OSError, VivaceError):
            return False
        return written_lately(self._metrics_folder / RECEIVER_METRICS)

    async def _exposition(self, request: Request) -> Response:
        text = await self._workers.run(request, lambda _: self._metrics.text(self._metrics_folder))
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


async def _answered(request: Request, handler: Handler) -> Response:
    """The handler's response, or the plain text of what is wrong."""
    try:
        return await handler(request)
    except QueryError as error:
        return PlainTextResponse(str(error), 400)
    except Overloaded:
        return PlainTextResponse("job queue full", 429)
    except TimedOut:
        return PlainTextResponse("the query took longer than is allowed; ask for less, or for a shorter time", 504)
    except (OSError, VivaceError) as error:
        return PlainTextResponse(f"the store cannot be read: {error}", 500)
    except Abandoned:
        return PlainTextResponse("the client has gone", ABANDONED)


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
    return Response(_dumped(document), media_type="application/json")


def _dumped(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
