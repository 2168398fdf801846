"""What the backend is told: where its data lie and where it listens."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from vivace.backend.receive.server import AHEAD_BYTES
from vivace.backend.store.folder import complete


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Addresses are host:port; port 0 takes a free one."""

    data_dir: Path
    http: str = "127.0.0.1:3200"
    otlp_grpc: str = "127.0.0.1:4317"
    otlp_http: str = "127.0.0.1:4318"
    grpc: str = "127.0.0.1:0"
    log_bytes: int = AHEAD_BYTES
    """Senders are pushed back while more of the log than this waits to be indexed."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the backend really listens."""

    http: str
    otlp_grpc: str
    otlp_http: str
    grpc: str


def write_addresses(addresses: Addresses, path: Path) -> None:
    """Says in a file where the backend listens."""
    with complete(path) as temporary:
        temporary.write_text(json.dumps(asdict(addresses)), encoding="utf-8")


def read_addresses(path: Path) -> Addresses:
    """Where the backend that wrote the file listens."""
    return Addresses(**json.loads(path.read_text(encoding="utf-8")))
