"""`vivace serve` in a process of its own, and a client that remembers what was acknowledged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from threading import Event, Thread

import grpc
import numpy as np
import psutil
from tests.backend.store.sample import request

from vivace.backend.serve.settings import Addresses, read_addresses
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.store import Store

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PATIENCE_S = 60.0


class Server:
    """A server and its children."""

    def __init__(self, root: Path) -> None:
        self.folder = DataFolder(root)
        self.folder.addresses.unlink(missing_ok=True)  # of a server that was killed
        flags = [f"{flag}=127.0.0.1:0" for flag in ("--http", "--grpc", "--otlp-grpc", "--otlp-http")]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "vivace", "serve", *flags, "--data-dir", str(root)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.children: Mapping[str, int] = {}
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
            time.sleep(0.05)
        self._process.kill()
        raise AssertionError(self.output())

    def _children(self) -> Mapping[str, int]:
        children = psutil.Process(self._process.pid).children()
        return {child.cmdline()[-2]: child.pid for child in children}

    def kill(self, role: str) -> None:
        """SIGKILL to a child, or to the supervisor, or to all at once."""
        pids = {"supervisor": [self._process.pid], "all": [self._process.pid, *self.children.values()]}
        for pid in pids.get(role, [self.children.get(role, 0)]):
            os.kill(pid, signal.SIGKILL)

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


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Load:
    """Sends one request after the other from several threads; an acknowledgement is remembered, a failure is not."""

    def __init__(self, address: str, first_seed: int, threads: int = 3) -> None:
        self.acknowledged: list[int] = []
        self.unknown: list[int] = []
        self._address = address
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
                    export(request(seed), timeout=10)
                except grpc.RpcError:
                    self.unknown.append(seed)
                    time.sleep(0.05)
                else:
                    self.acknowledged.append(seed)


def sent_span_ids(seeds: list[int]) -> Counter[int]:
    """The span IDs of requests as stored."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    found: Counter[int] = Counter()
    for seed in seeds:
        message = ExportTraceServiceRequest.FromString(request(seed))
        found.update(int.from_bytes(span.span_id, "big") for span in message.resource_spans[0].scope_spans[0].spans)
    return found


def stored_span_ids(root: Path) -> Counter[int]:
    """The span IDs of all visible units."""
    found: Counter[int] = Counter()
    for unit in Store(root).snapshot():
        column = unit.column("spans", "span_id")
        assert column is not None
        ids, counts = np.unique(column.to_numpy(), return_counts=True)
        found.update(dict(zip(ids.tolist(), counts.tolist(), strict=True)))
    return found
