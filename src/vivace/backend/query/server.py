"""The querier process: serves the HTTP query API over a data folder that the other processes write."""

from __future__ import annotations

import asyncio
import itertools
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import uvicorn
from grpc.aio import Server
from starlette.applications import Starlette

from vivace.backend.access.access import Access, access
from vivace.backend.access.address import Address, listen, where
from vivace.backend.access.connections import Bounds
from vivace.backend.followed import follow
from vivace.backend.query.api import Api
from vivace.backend.query.exposition import Metrics
from vivace.backend.query.known_traces import KnownTraces
from vivace.backend.query.querier import warm_up
from vivace.backend.query.queriers import Queriers
from vivace.backend.query.shared_port import shared_port
from vivace.backend.query.streaming import streaming_server
from vivace.backend.query.unforeseen import Unforeseen
from vivace.backend.query.workers import Workers
from vivace.backend.store.storage.figures import StorageFigures
from vivace.backend.store.storage.settings import StorageSettings
from vivace.backend.store.store import Store
from vivace.backend.tenant.overrides import Overrides
from vivace.errors import VivaceError

PROCESS: Final = "querier"
REFRESH_S: Final = 0.25
TIDY_TURNS: Final = 1200
"""Once in so many looks at the store, what is known of blocks that are gone is removed."""
CACHE_BYTES: Final = 64 << 20
"""Of columns as they are stored. Those that queries use are kept by the queries, mostly as views of the same memory."""
BOUNDS: Final = Bounds(head_bytes=512 << 10)
"""Enough for the longest query, escaped, in a request's line."""
PROTOCOLS: Final = ("http/1.1", "h2")
"""Of one port, where TLS is spoken; who speaks both is answered over HTTP/1.1."""
GRACE_S: Final = 5.0
"""So long may what is being answered take when the process is told to stop."""


@dataclass(frozen=True, slots=True)
class QuerierSettings:
    """Addresses are host:port, port 0 a free one."""

    data_dir: Path
    http: str
    grpc: str = "127.0.0.1:0"
    multitenancy: bool = False
    limits: Path | None = None
    """A file of limits per tenant."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    tokens: Path | None = None
    """A file of bearer tokens, of which a caller must give one."""
    storage: StorageSettings = field(default_factory=StorageSettings)
    told: Mapping[str, object] = field(default_factory=dict)
    """What the backend was started with, for /status/config: no secrets."""


def run(
    settings: QuerierSettings,
    announce: Callable[[str, str], None] = lambda *_: None,
    report: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT. `announce` is told the real addresses, `report` what went wrong."""
    limits = Overrides(settings.limits)
    files = (settings.tls_cert, settings.tls_key, settings.tls_client_ca, settings.tokens)
    allowed = access(*files, protocols=PROTOCOLS)
    follow([*limits.looks, *allowed.looks])  # when one of the files has gone bad the receiver reports it, for all
    counted = Metrics()
    store = Store(settings.data_dir, CACHE_BYTES, settings.storage, figures=StorageFigures(counted.registry, PROCESS))
    known = KnownTraces(settings.data_dir / "traces") if settings.storage.where else None
    queriers = Queriers(store.snapshot, limits, settings.multitenancy, report, known)
    workers = Workers(waited=counted.waited.observe)
    unforeseen = Unforeseen(report)
    api = Api(queriers, workers, counted, settings.data_dir / "metrics", settings.told, unforeseen=unforeseen)
    listener = listen(settings.http, "--http")
    stopped = threading.Event()
    refresher = threading.Thread(
        target=_refresh, args=(queriers, partial(_tidy, store, known), stopped), name="refresh", daemon=True
    )
    try:
        refresher.start()
        streaming = partial(streaming_server, queriers, workers, counted, settings.grpc, allowed, unforeseen=unforeseen)
        asyncio.run(_serve(api.application(), listener, streaming, allowed, announce))
    finally:
        stopped.set()
        if refresher.is_alive():
            refresher.join()
        workers.close()
        listener.close()


async def _serve(
    application: Starlette,
    listener: socket.socket,
    streaming: Callable[[], tuple[Server, Address]],
    allowed: Access,
    announce: Callable[[str, str], None],
) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    grpc_server, grpc_address = streaming()
    with TemporaryDirectory(prefix="vivace-") as folder:
        inside = Path(folder, "grpc")
        grpc_server.add_insecure_port(f"unix:{inside}")
        await grpc_server.start()
        http = _HttpServer(_http_config(application, allowed, inside))
        serving = asyncio.create_task(http.serve(sockets=[listener]))
        announce(where(listener), str(grpc_address))
        waiting = asyncio.create_task(stopped.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        http.should_exit = True
        await asyncio.gather(grpc_server.stop(GRACE_S), serving)


def _http_config(application: Starlette, allowed: Access, grpc: Path) -> uvicorn.Config:
    """HTTP, and on the same port gRPC, as Grafana expects it."""
    config = allowed.uvicorn_config(application, GRACE_S)
    config.http = shared_port(grpc, BOUNDS)
    return config


class _HttpServer(uvicorn.Server):
    """A server that leaves signals to the process that it is a part of."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _refresh(queriers: Queriers, tidy: Callable[[], None], stopped: threading.Event) -> None:
    """Takes up new units as they appear, so that queries find them open. What cannot be read, queries report."""
    for number in itertools.count():
        with suppress(OSError, ValueError, VivaceError):  # the next query meets the same, and answers with it
            queriers.refresh()
            if number % TIDY_TURNS == 0:
                tidy()
        if stopped.wait(REFRESH_S):
            return
        if number == 0:
            warm_up()  # not before: while a backend starts, its processes wait for processors


def _tidy(store: Store, known: KnownTraces | None) -> None:
    if known is not None:
        known.only({unit.info.id for unit in store.snapshot()})
