"""A process's own metrics: a registry, and the file that the querier serves it from."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread
from typing import Final

from prometheus_client import CollectorRegistry, write_to_textfile

PERIOD_SECONDS: Final = 1.0
TENANT: Final = "single-tenant"


class FiguresFile:
    """Rewrites `<folder>/<process>.prom` at once, every second, and once more at the end."""

    def __init__(self, registry: CollectorRegistry, folder: Path, process: str) -> None:
        self._registry = registry
        self._path = folder / f"{process}.prom"
        self._stop = Event()
        self._thread = Thread(target=self._run, name="figures", daemon=True)

    def start(self) -> None:
        """Begins to write."""
        self._thread.start()

    def stop(self) -> None:
        """Writes for the last time."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        self._write()
        ended = False
        while not ended:
            ended = self._stop.wait(PERIOD_SECONDS)
            self._write()

    def _write(self) -> None:
        try:
            write_to_textfile(str(self._path), self._registry)
        except OSError:  # a full disk must not end the process; what is served is then old
            return
