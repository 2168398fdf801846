from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import grpc
import pytest

from vivace.backend.receive import server
from vivace.backend.receive.server import ReceiverSettings
from vivace.backend.store.batch import concatenate
from vivace.backend.store.decode import arrange
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.log import LogReader
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

    def send(self, request: bytes, compression: grpc.Compression = grpc.Compression.NoCompression) -> bytes:
        options = [("grpc.max_send_message_length", -1)]
        with grpc.insecure_channel(self.grpc_address, options=options, compression=compression) as channel:
            export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EXPORT)
            return export(request, timeout=20)

    def logged(self) -> Tables | None:
        records = list(LogReader(self.folder.log, LogPosition()).records(1 << 40))
        return arrange(concatenate([record.batch for record in records])) if records else None


def serve(settings: ReceiverSettings, pipe: Connection) -> None:
    server.run(settings, lambda grpc_address, http_address: pipe.send((grpc_address, http_address)), print)


@pytest.fixture
def ahead_bytes() -> int:
    return server.AHEAD_BYTES


@pytest.fixture
def receiver(tmp_path: Path, ahead_bytes: int) -> Iterator[Receiver]:
    """A receiver for one test."""
    with started(tmp_path / "data", ahead_bytes) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver that several tests share; none of them sends what it takes."""
    with started(tmp_path_factory.mktemp("refusing"), server.AHEAD_BYTES) as receiver:
        yield receiver


@contextmanager
def started(root: Path, ahead_bytes: int) -> Iterator[Receiver]:
    folder = DataFolder(root)
    folder.create()
    settings = ReceiverSettings(folder.root, "127.0.0.1:0", "127.0.0.1:0", ahead_bytes)
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(settings, there), daemon=True)
    process.start()
    there.close()
    assert process.pid is not None
    yield Receiver(folder, process.pid, *here.recv())
    os.kill(process.pid, signal.SIGTERM)
    process.join(20)
    assert process.exitcode == 0
