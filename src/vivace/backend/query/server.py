"""The querier process: serves the HTTP query API over a data folder that the other processes write."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import uvicorn

from vivace.backend.query.api import Api
from vivace.backend.query.querier import Querier
from vivace.backend.store.store import Store
from vivace.errors import ConfigurationError, VivaceError

RECEIVER_METRICS: Final = "receiver.prom"
ALIVE_S: Final = 5.0
"""A process that wrote its metrics within this time is taken to be up."""
REFRESH_S: Final = 0.25


def run(data_dir: Path, http: str, announce: Callable[[str], None] = lambda _: None) -> None:
    """Serve until SIGTERM or SIGINT. `http` is host:port, port 0 a free one; `announce` is told the real address."""
    metrics = data_dir / "metrics"
    querier = Querier(Store(data_dir).snapshot)
    api = Api(querier, metrics, lambda: _written_lately(metrics / RECEIVER_METRICS))
    listener = listen(http)
    host, port = listener.getsockname()[:2]
    config = uvicorn.Config(
        api.application(), http="h11", loop="asyncio", lifespan="off", access_log=False, log_level="warning"
    )
    server = uvicorn.Server(config)
    stopped = threading.Event()
    refresher = threading.Thread(target=_refresh, args=(querier, stopped), name="refresh", daemon=True)
    refresher.start()
    querier.warm_up()
    announce(f"{host}:{port}")
    try:
        server.run(sockets=[listener])
    finally:
        stopped.set()
        refresher.join()
        api.close()
        listener.close()


def listen(http: str) -> socket.socket:
    """A listening socket. ConfigurationError when the address is none, or is taken."""
    host, _, port = http.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ConfigurationError(f"--http: {http!r} is not an address; give HOST:PORT, such as 127.0.0.1:3200")
    try:
        listener = socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or an answer waits 40 ms for its second part
        return listener
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigurationError(f"--http: cannot listen on {http} ({reason}); choose another address") from error


def _written_lately(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime < ALIVE_S
    except OSError:
        return False


def _refresh(querier: Querier, stopped: threading.Event) -> None:
    """Takes up new units as they appear, so that queries find them open. What cannot be read, queries report."""
    while not stopped.wait(REFRESH_S):
        try:
            querier.refresh()
        except (OSError, ValueError, VivaceError):  # the next query meets the same, and answers with it
            continue
