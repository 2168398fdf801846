"""Starts the processes of the backend, watches over them, and stops them in the order in which data flows.

When one of them ends unasked, all are stopped: a crash is a defect that must be seen, and a measurement over one that
was mended silently would not be what it seems. Nothing acknowledged is lost; whoever runs the backend may start it
again.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Final

from vivace.backend.serve.check import check, unusable_addresses
from vivace.backend.serve.lock import Lock
from vivace.backend.serve.process import Process
from vivace.backend.serve.settings import Addresses, ServeSettings, write_addresses
from vivace.backend.store.folder import DataFolder
from vivace.errors import ExitCode, TargetError
from vivace.signals import set_on_signals

ROLES: Final = ("receiver", "compactor", "indexer", "querier")
"""In the order in which they are stopped: who writes before who takes up what was written."""
READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
WATCH_SECONDS: Final = 0.1

__all__ = ["Addresses", "Backend", "ServeSettings", "serve_until_stopped"]


class Backend:
    """The embedded backend as a thing to start and stop."""

    def __init__(self, settings: ServeSettings, log: Path | None = None) -> None:
        """What the processes have to say goes to the log, else to standard error."""
        self._settings = settings
        self._log = log
        self._folder = DataFolder(settings.data_dir)
        self._processes: list[Process] = []
        self._lock: Lock | None = None
        self._addresses: Addresses | None = None
        self._failure: str | None = None
        self._stopping = Event()
        self._watcher = Thread(target=self._watch, name="watch-backend", daemon=True)

    @property
    def addresses(self) -> Addresses:
        """Where it listens, once it is started."""
        if self._addresses is None:
            raise TargetError("the backend is not started; start it first")
        return self._addresses

    def start(self, timeout_s: float = READY_SECONDS) -> None:
        """Returns when it is ready. TargetError or ConfigurationError when it cannot be; then nothing runs."""
        check(self._settings)
        self._lock = self._locked()
        try:
            self._folder.addresses.unlink(missing_ok=True)
            self._processes = self._started()
            self._addresses = self._ready(monotonic() + timeout_s)
            write_addresses(self._addresses, self._folder.addresses)
        except TargetError as error:
            self.stop()
            others = unusable_addresses(self._settings)  # the processes have said no more than the first
            raise TargetError("\n".join(dict.fromkeys([str(error), *others]))) from error
        except BaseException:
            self.stop()
            raise
        self._watcher.start()

    def ready(self, timeout_s: float = READY_SECONDS) -> None:
        """Does nothing when it is ready, as it is after start(). TargetError when it has failed."""
        if self._failure is not None or self._addresses is None:
            raise TargetError(self._failure or f"not started within {timeout_s:g} s; start it first")

    def processes(self) -> Mapping[str, int]:
        """Process IDs by role."""
        return {process.role: process.pid for process in self._processes}

    def failure(self) -> str | None:
        """Which process ended unasked, and how; None while all is well."""
        return self._failure

    def stop(self) -> None:
        """Lets the processes finish what they have begun, one after the other."""
        self._stopping.set()
        if self._watcher.is_alive():
            self._watcher.join()
        for process in self._processes:
            if not process.stop(STOP_SECONDS) and self._failure is None:
                self._failure = f"the {process.role} did not stop within {STOP_SECONDS:g} s and was killed"
        self._folder.addresses.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _locked(self) -> Lock:
        try:
            self._folder.create()
            return Lock(self._folder.lock)
        except OSError as error:
            raise TargetError(
                f"--data-dir {self._folder.root}: cannot be used ({error.strerror or error});"
                " choose a folder that can be written"
            ) from error

    def _started(self) -> list[Process]:
        if self._log is None:
            return [Process(role, self._settings) for role in ROLES]
        with self._log.open("ab") as log:
            return [Process(role, self._settings, log) for role in ROLES]

    def _ready(self, deadline: float) -> Addresses:
        addresses: dict[str, str] = {}
        for process in self._processes:
            addresses |= process.ready(max(0.0, deadline - monotonic()))
        return Addresses(**addresses)

    def _watch(self) -> None:
        while not self._stopping.wait(WATCH_SECONDS):
            ended = [process for process in self._processes if process.exit_code is not None]
            if ended and self._failure is None:
                self._failure = ended[0].ended()


def _said_at_start(addresses: Addresses, settings: ServeSettings) -> Iterator[str]:
    http = "http" if settings.tls_cert is None else "https"
    blocks = "" if settings.storage is None else f", blocks in {settings.storage}"
    yield f"OTLP over gRPC on {addresses.otlp_grpc}, over HTTP on {http}://{addresses.otlp_http}/v1/traces"
    yield f"Query API on {http}://{addresses.http}, over gRPC on {addresses.grpc}; data in {settings.data_dir}{blocks}"


def serve_until_stopped(settings: ServeSettings, say: Callable[[str], None]) -> int:
    """Runs the backend until SIGINT or SIGTERM, or until one of its processes ends; returns the exit code."""
    asked = Event()
    previous = set_on_signals(asked, signal.SIGINT, signal.SIGTERM)
    backend = Backend(settings)
    try:
        backend.start()
        addresses = backend.addresses
        for line in _said_at_start(addresses, settings):
            say(line)
        while not asked.wait(WATCH_SECONDS) and backend.failure() is None:
            pass
        backend.stop()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if (failure := backend.failure()) is None:
        return ExitCode.PASS
    say(f"vivace: {failure}; all else was stopped, and nothing acknowledged is lost; start it again")
    return ExitCode.TARGET
