"""Tempo's HTTP query API: requests in, JSON, protobuf or plain-text errors out."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from vivace import __version__
from vivace.backend.query.exposition import Metrics
from vivace.backend.query.parameters import metrics_parameters, search_parameters
from vivace.backend.query.querier import Check, Querier
from vivace.backend.query.queriers import Queriers, Reading
from vivace.backend.query.representation import GZIP_BYTES, GZIP_LEVEL, Work, answering, compressing, json_response
from vivace.backend.query.shown import Json
from vivace.backend.query.status import Status, overrides, written_lately
from vivace.backend.query.tags_api import names_v1, names_v2, values_v1, values_v2
from vivace.backend.query.trace_api import trace_v1, trace_v2
from vivace.backend.query.unforeseen import Unforeseen
from vivace.backend.query.workers import Abandoned, Overloaded, TimedOut, Workers
from vivace.backend.tenant.identity import HEADER, TenantError
from vivace.errors import QueryError, VivaceError

COMPATIBLE: Final = "3.1.0"
"""The version of Tempo whose API this is; clients choose features by it."""
ABANDONED: Final = 499
RECEIVER_METRICS: Final = "receiver.prom"
BODY_BYTES: Final = 1 << 20
"""What is asked stands in the URL; a larger body is refused unread."""

Handler = Callable[[Request], Awaitable[Response]]
CHANGES: Final = ("GET", "POST", "PATCH", "DELETE")


class Api:
    """The routes, over queriers and the threads that they work in."""

    def __init__(
        self,
        queriers: Queriers,
        workers: Workers,
        metrics: Metrics,
        folder: Path,
        told: Mapping[str, object],
        *,
        unforeseen: Unforeseen | None = None,
    ) -> None:
        """`folder` is where the other processes write their metrics; `told` is what the process was started with."""
        self._unforeseen = unforeseen or Unforeseen()
        self._queriers = queriers
        self._metrics_folder = folder
        self._told = told
        self._workers = workers
        self._metrics = metrics

    def application(self) -> Starlette:
        """The ASGI application."""
        application = Starlette(
            routes=[*self._routes(), *self._operational()],
            middleware=[Middleware(GZipMiddleware, minimum_size=GZIP_BYTES, compresslevel=GZIP_LEVEL)],
            exception_handlers={HTTPException: _refused},
        )
        application.router.redirect_slashes = False
        return application

    def _routes(self) -> list[Route]:
        return [
            self._query("/api/search", "api_search", "search", self._search),
            self._query("/api/traces/{trace_id}", "api_traces_traceid", "traces", trace_v1),
            self._query("/api/v2/traces/{trace_id}", "api_v2_traces_traceid", "traces", trace_v2),
            self._query("/api/metrics/query_range", "api_metrics_query_range", "metrics", self._metrics_range),
            self._query("/api/metrics/query", "api_metrics_query", "metrics", self._metrics_instant),
            self._query("/api/search/tags", "api_search_tags", "metadata", _named(names_v1, "SearchTagsResponse")),
            self._query(
                "/api/v2/search/tags", "api_v2_search_tags", "metadata", _named(names_v2, "SearchTagsV2Response")
            ),
            self._query(
                "/api/search/tag/{tag:path}/values",
                "api_search_tag_values",
                "metadata",
                _valued(values_v1, "SearchTagValuesResponse"),
            ),
            self._query(
                "/api/v2/search/tag/{tag:path}/values",
                "api_v2_search_tag_values",
                "metadata",
                _valued(values_v2, "SearchTagValuesV2Response"),
            ),
            self._route("/api/echo", "api_echo", _echo),
            self._route("/api/status/buildinfo", "api_status_buildinfo", _build_info),
            self._route("/api/overrides", "api_overrides", self._overrides, CHANGES),
        ]

    def _operational(self) -> list[Route]:
        status = Status(self._metrics_folder, self._told, self._queriers.overrides)
        return [
            self._route("/ready", "ready", self._readiness),
            self._route("/metrics", "metrics", self._exposition),
            self._route("/status", "status", status.everything),
            self._route("/status/version", "status_version", status.version),
            self._route("/status/services", "status_services", status.services),
            self._route("/status/endpoints", "status_endpoints", status.endpoints),
            self._route("/status/config", "status_config", status.config),
            self._route("/status/overrides", "status_overrides", status.limits),
            self._route("/status/overrides/{tenant}", "status_overrides_tenant", status.limits_of),
            self._route("/status/runtime_config", "status_runtime_config", status.runtime_config),
        ]

    def _route(self, path: str, name: str, handler: Handler, methods: Sequence[str] = ()) -> Route:
        """A route that takes some methods, or all."""

        async def observed(request: Request) -> Response:
            started = time.perf_counter()
            response = await self._answered(request, handler)
            self._metrics.observe(request.method, name, response.status_code, time.perf_counter() - started)
            return response

        return _Route(path, observed, name=name, methods=methods)

    def _query(self, path: str, name: str, operation: str, asked: Callable[[Request, Reading], Work]) -> Route:
        """A route that asks a querier for something."""

        async def handler(request: Request) -> Response:
            reading = self._queriers.reading(request.headers.get(HEADER))
            work = compressing(request, asked(request, reading))
            with self._metrics.counted(reading.tenant, operation):
                return await self._workers.run(request, work, reading.allowance)

        return self._route(path, name, handler)

    async def _answered(self, request: Request, handler: Handler) -> Response:
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
        except Exception as error:  # whatever it is, it is said in one line and reported
            return PlainTextResponse(self._unforeseen.said(error), 500)

    def _search(self, request: Request, reading: Reading) -> Work:
        parameters = search_parameters(request.query_params, time.time_ns(), reading.search_ns)
        return answering(request, "SearchResponse", lambda check: reading.querier.search(parameters, check))

    def _metrics_range(self, request: Request, reading: Reading) -> Work:
        parameters = metrics_parameters(request.query_params, time.time_ns(), reading.metrics_ns)
        return answering(request, "QueryRangeResponse", lambda check: reading.querier.metrics_range(parameters, check))

    def _metrics_instant(self, request: Request, reading: Reading) -> Work:
        parameters = metrics_parameters(request.query_params, time.time_ns(), reading.metrics_ns)
        return lambda check: json_response(reading.querier.metrics_instant(parameters, check))

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


class _Route(Route):
    """Takes every method where none is named, as Tempo does, and parameters with line breaks in them."""

    def __init__(self, path: str, handler: Handler, *, name: str, methods: Sequence[str]) -> None:
        super().__init__(path, handler, name=name, methods=methods)
        self.methods = self.methods or None
        self.path_regex = re.compile(self.path_regex.pattern, re.DOTALL)


def _named(
    answer: Callable[[Querier, Mapping[str, str], Check], Json], message: str
) -> Callable[[Request, Reading], Work]:
    return lambda request, reading: answering(
        request, message, lambda check: answer(reading.querier, request.query_params, check)
    )


def _valued(
    answer: Callable[[Querier, str, Mapping[str, str], Check], Json], message: str
) -> Callable[[Request, Reading], Work]:
    return lambda request, reading: answering(
        request,
        message,
        lambda check: answer(reading.querier, request.path_params["tag"], request.query_params, check),
    )


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
    return json_response(
        {
            "version": COMPATIBLE,
            "revision": f"vivace-{__version__}",
            "branch": "",
            "buildUser": "",
            "buildDate": "",
            "goVersion": "",
        }
    )
