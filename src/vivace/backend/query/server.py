"""The querier process: serves the HTTP query API over a data folder that the other processes write."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import uvicorn
from grpc.aio import Server
from starlette.applications import Starlette

from vivace.backend.query.api import Api
from vivace.backend.query.exposition import Metrics
from vivace.backend.query.querier import Querier
from vivace.backend.query.streaming import streaming_server
from vivace.backend.query.workers import Workers
from vivace.backend.store.store import Store
from vivace.errors import ConfigurationError, TargetError, VivaceError

REFRESH_S: Final = 0.25
GRACE_S: Final = 5.0
"""So long may what is being answered take when the process is told to stop."""


def run(
    data_dir: Path, http: str, grpc: str = "127.0.0.1:0", announce: Callable[[str, str], None] = lambda *_: None
) -> None:
    """Serve until SIGTERM or SIGINT. Addresses are host:port, port 0 a free one; `announce` is told the real ones."""
    metrics = data_dir / "metrics"
    querier = Querier(Store(data_dir).snapshot)
    workers, counted = Workers(), Metrics()
    told = {"data_dir": str(data_dir), "http": http, "grpc": grpc}
    api = Api(querier, workers, counted, metrics, told)
    listener = listen(http)
    stopped = threading.Event()
    refresher = threading.Thread(target=_refresh, args=(querier, stopped), name="refresh", daemon=True)
    refresher.start()
    querier.warm_up()
    try:
        asyncio.run(_serve(api.application(), listener, lambda: _streaming(querier, workers, counted, grpc), announce))
    finally:
        stopped.set()
        refresher.join()
        workers.close()
        listener.close()


def _streaming(querier: Querier, workers: Workers, metrics: Metrics, address: str) -> tuple[Server, str]:
    _host_and_port(address, "--grpc")
    server, port = streaming_server(querier, workers, metrics, address)
    return server, f"{address.rpartition(':')[0]}:{port}"


async def _serve(
    application: Starlette,
    listener: socket.socket,
    streaming: Callable[[], tuple[Server, str]],
    announce: Callable[[str, str], None],
) -> None:
    grpc_server, grpc_address = streaming()
    config = uvicorn.Config(application, http="h11", lifespan="off", access_log=False, log_level="warning")
    config.timeout_graceful_shutdown = int(GRACE_S)
    server = _HttpServer(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    await grpc_server.start()
    host, port = listener.getsockname()[:2]
    announce(f"{host}:{port}", grpc_address)
    await server.serve(sockets=[listener])
    await grpc_server.stop(GRACE_S)


class _HttpServer(uvicorn.Server):
    """A server that leaves signals to the process that it is a part of."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        """Take no more requests, and end."""
        self.should_exit = True


def _host_and_port(address: str, flag: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ConfigurationError(f"{flag}: {address!r} is not an address; give HOST:PORT, such as 127.0.0.1:3200")
    return host, int(port)


def listen(http: str) -> socket.socket:
    """A listening socket. ConfigurationError when the address is none, TargetError when it is taken."""
    host, port = _host_and_port(http, "--http")
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or an answer waits 40 ms for its second part
        return listener
    except OSError as error:
        reason = error.strerror or str(error)
        raise TargetError(f"--http: cannot listen on {http} ({reason}); choose another address") from error


def _refresh(querier: Querier, stopped: threading.Event) -> None:
    """Takes up new units as they appear, so that queries find them open. What cannot be read, queries report."""
    while not stopped.wait(REFRESH_S):
        try:
            querier.refresh()
        except (OSError, ValueError, VivaceError):  # the next query meets the same, and answers with it
            continue
