"""What operators look at: the state of the processes, the limits that hold, and which paths there are."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from vivace import __version__
from vivace.backend.query.parameters import MAX_INTERVALS, MAX_LIMIT, MAX_SPANS
from vivace.backend.query.querier import MEMORY_BYTES, QUERY_BYTES
from vivace.backend.query.workers import THREADS, WAITING
from vivace.backend.store.folder import DataFolder
from vivace.backend.tenant.limits import Limits
from vivace.backend.tenant.overrides import Overrides

PROCESSES: Final = ("receiver", "indexer", "compactor")
"""Those beside the querier."""
ALIVE_S: Final = 5.0
"""A process that wrote its metrics within this time is taken to be up."""
ETAG: Final = '"0"'
"""The version of the overrides, of which there are none."""

LIMITS: Final[Mapping[str, int | float]] = {
    "queries_running": THREADS,
    "queries_waiting": WAITING,
    "query_bytes": QUERY_BYTES,
    "search_traces": MAX_LIMIT,
    "search_spans_per_spanset": MAX_SPANS,
    "metrics_points": MAX_INTERVALS,
    "memory_bytes": MEMORY_BYTES,
}
"""What holds for all tenants together, or for every request."""


class Status:
    """Answers the paths below /status."""

    def __init__(self, metrics_folder: Path, told: Mapping[str, object], overrides: Overrides) -> None:
        """`told` is what the process was started with; the folder of metrics lies in the data folder."""
        self._overrides = overrides
        self._metrics_folder = metrics_folder
        self._addresses = DataFolder(metrics_folder.parent).addresses
        self._since = time.monotonic()
        self._told = told

    async def everything(self, request: Request) -> Response:
        """GET /status."""
        parts = [await part(request) for part in (self.version, self.services, self.endpoints, self.config)]
        return PlainTextResponse("\n".join(bytes(part.body).decode() for part in parts))

    async def version(self, _: Request) -> Response:
        """GET /status/version."""
        return PlainTextResponse(f"vivace, version {__version__}\n")

    async def services(self, _: Request) -> Response:
        """GET /status/services."""
        states = {name: self._state(name) for name in PROCESSES} | {"querier": "Running"}
        return PlainTextResponse("".join(f"{name}: {state}\n" for name, state in states.items()))

    async def endpoints(self, request: Request) -> Response:
        """GET /status/endpoints: the paths, with the methods that each takes."""
        routes = [route for route in request.app.routes if isinstance(route, Route)]
        return PlainTextResponse("".join(f"{_methods(route)} {route.path_format}\n" for route in routes))

    async def config(self, _: Request) -> Response:
        """GET /status/config."""
        told = {**self._told, **self._real_addresses()}
        return _yaml({**told, "bounds": dict(LIMITS), "defaults": self._overrides.defaults().shown()})

    async def limits(self, _: Request) -> Response:
        """GET /status/overrides: what holds for every tenant, and for those that have limits of their own."""
        return _yaml(self._all_limits())

    async def limits_of(self, request: Request) -> Response:
        """GET /status/overrides/{tenant}: what holds for a tenant."""
        return _yaml(self._overrides.of(request.path_params["tenant"]).shown())

    async def runtime_config(self, request: Request) -> Response:
        """GET /status/runtime_config: the limits as they are followed now; with mode=diff what is not as it comes."""
        if request.query_params.get("mode") != "diff":
            return _yaml(self._all_limits())
        defaults, built_in = self._overrides.defaults().shown(), Limits().shown()
        own = {tenant: _differing(one.shown(), defaults) for tenant, one in self._overrides.tenants().items()}
        return _yaml({"defaults": _differing(defaults, built_in), "overrides": own})

    def _state(self, process: str) -> str:
        """In Tempo's words; who is not heard of is given time to start."""
        if written_lately(self._metrics_folder / f"{process}.prom"):
            return "Running"
        return "Starting" if time.monotonic() - self._since < ALIVE_S else "Failed"

    def _real_addresses(self) -> Mapping[str, str]:
        """Where the backend listens, which is not what it was told where a port was free to choose."""
        try:
            found: Mapping[str, str] = json.loads(self._addresses.read_text(encoding="utf-8"))
        except FileNotFoundError:  # the other processes are starting
            return {}
        return found

    def _all_limits(self) -> Mapping[str, object]:
        own = {tenant: limits.shown() for tenant, limits in self._overrides.tenants().items()}
        return {"defaults": self._overrides.defaults().shown(), "overrides": own}


def overrides(request: Request, limits: Mapping[str, object]) -> Response:
    """/api/overrides: none can be made here; who would change them must know the version."""
    if request.method in ("GET", "HEAD"):
        return _scoped(request.query_params.get("scope") or "api", limits)
    given = request.headers.get("if-match")
    if given is None:
        return PlainTextResponse("must specify If-Match header", 428)
    if given.strip('"') != ETAG.strip('"'):
        return PlainTextResponse("the version does not match", 412)
    return PlainTextResponse("overrides are changed in the file of limits", 405, headers={"Allow": "GET"})


def _scoped(scope: str, limits: Mapping[str, object]) -> Response:
    """Those made here, of which there are none, or all that hold."""
    if scope not in ("api", "merged"):
        return PlainTextResponse(f'unknown scope "{scope}", valid options are api and merged', 400)
    return JSONResponse({"limits": limits} if scope == "merged" else {}, headers={"ETag": ETAG})


def written_lately(path: Path) -> bool:
    """Whether a process has written its metrics a short while ago."""
    try:
        return time.time() - path.stat().st_mtime < ALIVE_S
    except OSError:
        return False


def _methods(route: Route) -> str:
    return ",".join(sorted(route.methods)) if route.methods else "ANY"


def _differing(shown: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """Of sections of limits what is not the same in others."""
    sections = {
        name: {limit: value for limit, value in section.items() if value != base[name][limit]}
        for name, section in shown.items()
    }
    return {name: section for name, section in sections.items() if section}


def _yaml(document: Mapping[str, object]) -> Response:
    return PlainTextResponse(yaml.safe_dump(document, sort_keys=False), media_type="text/yaml")
