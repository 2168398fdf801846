from __future__ import annotations

import multiprocessing
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import grpc
import pytest

from vivace.backend.receive import server
from vivace.backend.receive.server import ReceiverSettings
from vivace.backend.store.batch import concatenate
from vivace.backend.store.decode import arrange
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.log import LogReader, Record
from vivace.backend.store.manifest import LogPosition
from vivace.backend.store.tables import Tables

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@dataclass
class Receiver:
    """A receiver in a process of its own, and what its log holds."""

    folder: DataFolder
    pid: int
    grpc_address: str
    http_address: str

    def send(
        self,
        request: bytes,
        compression: grpc.Compression = grpc.Compression.NoCompression,
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> bytes:
        options = [("grpc.max_send_message_length", -1)]
        with grpc.insecure_channel(self.grpc_address, options=options, compression=compression) as channel:
            export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EXPORT)
            return export(request, timeout=20, metadata=metadata)

    def post(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        sent = urllib.request.Request(f"http://{self.http_address}/v1/traces", body, headers, method="POST")
        try:
            with closing(urllib.request.urlopen(sent, timeout=20)) as answer:  # noqa: S310 - http, on this machine
                return answer.status, answer.read(), dict(answer.headers)
        except urllib.error.HTTPError as error:
            with closing(error):
                return error.code, error.read(), dict(error.headers)

    def records(self) -> list[Record]:
        return list(LogReader(self.folder.log, LogPosition()).records(1 << 40))

    def logged(self) -> Tables | None:
        records = self.records()
        return arrange(concatenate([record.batch for record in records])) if records else None

    def figure(self, line: str) -> float:
        """A line of the metrics without its number; waits for the next time they are written."""
        path = self.folder.metrics / "receiver.prom"
        before = path.stat().st_mtime_ns
        while path.stat().st_mtime_ns == before:
            time.sleep(0.05)
        found = [float(one.rpartition(" ")[2]) for one in path.read_text().splitlines() if one.startswith(f"{line} ")]
        return found[0] if found else 0.0


def serve(settings: ReceiverSettings, pipe: Connection) -> None:
    server.run(settings, lambda grpc_address, http_address: pipe.send((grpc_address, http_address)), print)


def highest_memory(pid: int) -> int:
    """The most bytes that a process ever had resident."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM:"))


@pytest.fixture
def settings() -> dict[str, Any]:
    """What differs from the usual settings."""
    return {}


@pytest.fixture
def receiver(tmp_path: Path, settings: dict[str, Any]) -> Iterator[Receiver]:
    """A receiver for one test."""
    with started(tmp_path / "data", **settings) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver that several tests share; none of them sends what it takes."""
    with started(tmp_path_factory.mktemp("refusing")) as receiver:
        yield receiver


@contextmanager
def started(root: Path, **settings: Any) -> Iterator[Receiver]:
    folder = DataFolder(root)
    folder.create()
    whole = ReceiverSettings(folder.root, "127.0.0.1:0", "127.0.0.1:0", **settings)
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(whole, there), daemon=True)
    process.start()
    there.close()
    assert process.pid is not None
    try:
        yield Receiver(folder, process.pid, *here.recv())
        os.kill(process.pid, signal.SIGTERM)
        process.join(20)
        assert process.exitcode == 0
    finally:
        process.kill()
