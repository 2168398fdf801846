"""The receiver process: OTLP over gRPC and HTTP on one event loop, and the thread that commits to the log."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn

from vivace.backend.access.access import access
from vivace.backend.access.address import listen, where
from vivace.backend.followed import follow
from vivace.backend.receive.arrival import Arrivals
from vivace.backend.receive.commit import Committer
from vivace.backend.receive.figures import ReceiverFigures
from vivace.backend.receive.intake import Intake
from vivace.backend.receive.otlp_grpc import grpc_server
from vivace.backend.receive.otlp_http import http_application, unauthorized
from vivace.backend.store.figures import FiguresFile
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.log import LogWriter, Sync, cut_torn_tail
from vivace.backend.store.manifest import read_manifest
from vivace.backend.tenant.overrides import Overrides
from vivace.errors import TargetError

PROCESS: Final = "receiver"
GRACE_SECONDS: Final = 5.0
AHEAD_BYTES: Final = 1 << 30
GARBAGE_THRESHOLDS: Final = (5000, 20, 20)
"""Small requests leave many objects and few cycles: looking for garbage as often as usual takes a tenth of the CPU."""


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """Where to listen, as host:port with port 0 for a free one, to whom, and what an acknowledgement means."""

    data_dir: Path
    otlp_grpc: str
    otlp_http: str
    ahead_bytes: int = AHEAD_BYTES
    """What the log may be ahead of the indexer."""
    wal_sync: str = Sync.ALWAYS
    """A value of Sync."""
    multitenancy: bool = False
    limits: Path | None = None
    """A file of overrides."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    tokens: Path | None = None


def run(settings: ReceiverSettings, announce: Callable[[str, str], None], report: Callable[[str], None]) -> None:
    """Serves until SIGTERM; `announce` is told the real addresses of gRPC and HTTP, `report` what went wrong."""
    _prepare()
    asyncio.run(_serve(settings, announce, report))


def _prepare() -> None:
    """What was imported is never looked through for garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


async def _serve(
    settings: ReceiverSettings, announce: Callable[[str, str], None], report: Callable[[str], None]
) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    allowed = access(settings.tls_cert, settings.tls_key, settings.tls_client_ca, settings.tokens, report)
    overrides = Overrides(settings.limits, report)
    follow([*overrides.looks, *allowed.looks])
    folder = DataFolder(settings.data_dir)
    figures = ReceiverFigures()
    file = FiguresFile(figures.registry, folder.metrics, PROCESS)
    committer = Committer(_log(folder, Sync(settings.wal_sync), report), figures, overrides)
    intake = Intake(committer, figures, folder, settings.ahead_bytes, overrides, multitenancy=settings.multitenancy)
    arrivals = Arrivals()
    server, grpc_address = grpc_server(intake, settings.otlp_grpc, allowed, arrivals)
    listener = listen(settings.otlp_http, "--otlp-http")
    http = _HttpServer(allowed.uvicorn_config(http_application(intake), GRACE_SECONDS, refuse=unauthorized))
    watches = [asyncio.create_task(watch) for watch in (intake.watch(), arrivals.watch())]
    http_task = asyncio.create_task(http.serve(sockets=[listener]))
    await server.start()
    file.start()
    announce(str(grpc_address), where(listener))
    waiting = asyncio.create_task(stopped.wait())
    ends: set[asyncio.Future[Any]] = {waiting, *watches, http_task, committer.ended}
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    http.should_exit = True
    await asyncio.gather(server.stop(GRACE_SECONDS), http_task)
    await asyncio.to_thread(committer.stop)
    await asyncio.to_thread(file.stop)
    for task in (*watches, committer.ended):
        if task.done():
            task.result()  # raises what ended it
        task.cancel()


def _log(folder: DataFolder, sync_when: Sync, report: Callable[[str], None]) -> LogWriter:
    """The log, ready to be written to; TargetError when it is not."""
    first = read_manifest(folder.manifest).log.file + 1
    try:
        if damage := cut_torn_tail(folder.log):
            report(f"{damage}; if they are of a request, it was not acknowledged before the crash that tore it")
        return LogWriter(folder.log, first=first, sync_when=sync_when)
    except OSError as error:
        raise TargetError(f"{folder.log}: cannot be written ({error.strerror or error}); make room for it") from error


class _HttpServer(uvicorn.Server):
    """A server that leaves signals to the process that it is a part of."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
