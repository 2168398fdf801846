"""`vivace serve` in a process of its own, and a client that remembers what was acknowledged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import grpc
import numpy as np
import psutil
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.backend.store.sample import at, request

from vivace.backend.serve.settings import Addresses, read_addresses
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.log import LogReader
from vivace.backend.store.manifest import read_manifest
from vivace.backend.store.storage.settings import StorageSettings
from vivace.backend.store.store import Store
from vivace.backend.store.unit import UnitKind

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
HASTY = Path(__file__).with_name("hasty")
PATIENCE_S = 60.0


class Server:
    """A server and its children."""

    def __init__(self, root: Path, flags: Sequence[str] = (), *, hasty: bool = False, await_ready: bool = True) -> None:
        """A hasty one cuts, compacts and removes blocks all the time. Without waiting there are no addresses yet."""
        self.folder = DataFolder(root)
        self.folder.addresses.unlink(missing_ok=True)  # of a server that was killed
        addresses = [f"{flag}=127.0.0.1:0" for flag in ("--http", "--grpc", "--otlp-grpc", "--otlp-http")]
        paths = [str(HASTY)] if hasty else []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "vivace", "serve", *addresses, "--data-dir", str(root), *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([*paths, *_given_path()])},
        )
        self.children: Mapping[str, int] = {}
        if await_ready:
            try:
                self.addresses = self._ready()
            except BaseException:
                self.close()
                raise
            self.children = self._children()

    def close(self) -> None:
        """Ends whatever of it still runs; its children end with their supervisor."""
        assert self._process.stdout is not None
        self._process.kill()
        self._process.stdout.close()
        self.wait()

    def _ready(self) -> Addresses:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if self.folder.addresses.exists():
                return read_addresses(self.folder.addresses)
            time.sleep(0.02)
        self._process.kill()
        raise AssertionError(self.output())

    def _children(self) -> Mapping[str, int]:
        found = {}
        for child in psutil.Process(self._process.pid).children():
            with suppress(psutil.Error, IndexError):  # it has ended, or not become what it will be
                found[child.cmdline()[-2]] = child.pid
        return found

    def kill(self, role: str, number: signal.Signals = signal.SIGKILL) -> None:
        """A signal to a child, or to the supervisor, or to all at once."""
        self.children = self.children or self._children()
        pids = {"supervisor": [self._process.pid], "all": [self._process.pid, *self.children.values()]}
        for pid in pids.get(role, [self.children.get(role, self._process.pid)]):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """The exit code, once the supervisor and all children are gone."""
        code = self._process.wait(PATIENCE_S)
        deadline = time.monotonic() + PATIENCE_S
        while any(_runs(pid) for pid in self.children.values()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return code

    def output(self) -> str:
        assert self._process.stdout is not None
        with self._process.stdout:
            return self._process.stdout.read().decode()


def _given_path() -> list[str]:
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Load:
    """Sends one request after the other from several threads; an acknowledgement is remembered, a failure is not."""

    def __init__(
        self,
        address: str,
        first_seed: int,
        threads: int = 3,
        *,
        tenant: str | None = None,
        body: Callable[[int], bytes] = request,
    ) -> None:
        """`body` makes a request of a seed."""
        self.acknowledged: list[int] = []
        self.unknown: list[int] = []
        self._address = address
        self._metadata = (("x-scope-orgid", tenant),) if tenant else ()
        self._body = body
        self._stop = Event()
        self._threads = [
            Thread(target=self._run, args=(range(first_seed + number, 1 << 40, threads),)) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, seeds: range) -> None:
        with grpc.insecure_channel(self._address) as channel:
            export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EXPORT)
            for seed in seeds:
                if self._stop.is_set():
                    return
                try:
                    export(self._body(seed), timeout=10, metadata=self._metadata)
                except grpc.RpcError:
                    self.unknown.append(seed)
                    time.sleep(0.05)
                else:
                    self.acknowledged.append(seed)


def present(seed: int) -> bytes:
    """A sample request of now."""
    return at(seed, time.time_ns())


def past(seed: int) -> bytes:
    """A sample request of a week ago."""
    return at(seed, time.time_ns() - 7 * 86_400 * 10**9)


def sent_span_ids(seeds: Iterable[int]) -> Counter[int]:
    """The span IDs of requests as stored."""
    found: Counter[int] = Counter()
    for seed in seeds:
        message = ExportTraceServiceRequest.FromString(request(seed))
        found.update(int.from_bytes(span.span_id, "big") for span in message.resource_spans[0].scope_spans[0].spans)
    return found


def in_blocks(root: Path) -> bool:
    """Whether all of the log is in blocks."""
    manifest = read_manifest(root / "manifest.json")
    return LogReader(root / "wal", manifest.log).ahead() == 0 and not any(
        unit.kind is UnitKind.SEGMENT for unit in manifest.units
    )


def stored_span_ids(root: Path, *tenants: str, storage: StorageSettings | None = None) -> Counter[int]:
    """The span IDs of all visible units, or of those of some tenants."""
    found: Counter[int] = Counter()
    for unit in Store(root, storage=storage).snapshot(tenants or None):
        column = unit.column("spans", "span_id")
        assert column is not None
        ids, counts = np.unique(column.to_numpy(), return_counts=True)
        found.update(dict(zip(ids.tolist(), counts.tolist(), strict=True)))
    return found
