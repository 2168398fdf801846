"""What operators look at: the state of the processes, the limits that hold, and which paths there are."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from vivace import __version__
from vivace.backend.query.parameters import MAX_INTERVALS, MAX_LIMIT, MAX_METRICS_RANGE, MAX_SPANS, SECOND
from vivace.backend.query.querier import MEMORY_BYTES, TRACE_BYTES
from vivace.backend.query.workers import LIMIT_S, THREADS, WAITING

PROCESSES: Final = ("receiver", "indexer")
ALIVE_S: Final = 5.0
"""A process that wrote its metrics within this time is taken to be up."""
ETAG: Final = '"0"'
"""The version of the overrides, of which there are none."""

LIMITS: Final[Mapping[str, int | float]] = {
    "queries_running": THREADS,
    "queries_waiting": WAITING,
    "query_seconds": LIMIT_S,
    "search_traces": MAX_LIMIT,
    "search_spans_per_spanset": MAX_SPANS,
    "metrics_seconds": MAX_METRICS_RANGE // SECOND,
    "metrics_points": MAX_INTERVALS,
    "trace_bytes": TRACE_BYTES,
    "memory_bytes": MEMORY_BYTES,
}


class Status:
    """Answers the paths below /status."""

    def __init__(self, metrics_folder: Path, told: Mapping[str, str], paths: Sequence[str]) -> None:
        """`told` is what the process was started with."""
        self._metrics_folder = metrics_folder
        self._told = told
        self._paths = paths

    async def everything(self, request: Request) -> Response:
        """GET /status."""
        parts = [await part(request) for part in (self.version, self.services, self.endpoints, self.config)]
        return PlainTextResponse("\n".join(bytes(part.body).decode() for part in parts))

    async def version(self, _: Request) -> Response:
        """GET /status/version."""
        return PlainTextResponse(f"vivace, version {__version__}\n")

    async def services(self, _: Request) -> Response:
        """GET /status/services."""
        running = {name: written_lately(self._metrics_folder / f"{name}.prom") for name in PROCESSES} | {
            "querier": True
        }
        return PlainTextResponse("".join(f"{name}: {'Running' if up else 'Failed'}\n" for name, up in running.items()))

    async def endpoints(self, _: Request) -> Response:
        """GET /status/endpoints."""
        return PlainTextResponse("".join(f"GET {path}\n" for path in self._paths))

    async def config(self, _: Request) -> Response:
        """GET /status/config."""
        return _yaml({**self._told, "limits": dict(LIMITS)})

    async def limits(self, _: Request) -> Response:
        """GET /status/overrides: what holds for every tenant."""
        return _yaml({"defaults": dict(LIMITS), "overrides": {}})


async def overrides(request: Request) -> Response:
    """/api/overrides: there are none, and none can be made; who would change them must know the version."""
    if request.method in ("GET", "HEAD"):
        merged = request.query_params.get("scope") == "merged"
        return JSONResponse({"limits": dict(LIMITS)} if merged else {}, headers={"ETag": ETAG})
    given = request.headers.get("if-match")
    if given is None:
        return PlainTextResponse("must specify If-Match header", 428)
    if given.strip('"') != ETAG.strip('"'):
        return PlainTextResponse("the version does not match", 412)
    return PlainTextResponse("overrides cannot be changed while the backend runs", 405, headers={"Allow": "GET"})


def written_lately(path: Path) -> bool:
    """Whether a process has written its metrics a short while ago."""
    try:
        return time.time() - path.stat().st_mtime < ALIVE_S
    except OSError:
        return False


def _yaml(document: Mapping[str, object]) -> Response:
    return PlainTextResponse(yaml.safe_dump(document, sort_keys=False), media_type="text/yaml")
