"""What the backend is told: where its data lie, where it listens, and whom it serves."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from vivace.backend.store.folder import complete
from vivace.backend.store.storage.settings import StorageSettings

WalSync = Literal["always", "interval", "off"]


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Addresses are host:port; port 0 takes a free one."""

    data_dir: Path
    http: str = "127.0.0.1:3200"
    otlp_grpc: str = "127.0.0.1:4317"
    otlp_http: str = "127.0.0.1:4318"
    grpc: str = "127.0.0.1:0"
    log_bytes: int = 1 << 30
    """Senders are pushed back while more of the log than this waits to be indexed."""
    wal_sync: WalSync = "always"
    """When what is written to the log is synced: before it is acknowledged, a short while after, or never by us."""
    multitenancy: bool = False
    """Whether X-Scope-OrgID says whose data are written and read; else all belong to one tenant."""
    limits: Path | None = None
    """A file of limits per tenant."""
    storage: str | None = None
    """Where blocks are kept, as s3://bucket/prefix; None for the data folder."""
    storage_sse: str | None = None
    storage_kms_key_id: str | None = None
    storage_adopt: bool = False
    storage_cache_bytes: int | None = None
    """So much of an object store's blocks is kept in the data folder; None for what is usual."""
    compaction_window_s: float = 3600.0
    """Blocks of the same such window are made one."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    """Who calls must show a certificate by this authority."""
    tokens: Path | None = None
    """A file of bearer tokens, of which a caller must give one."""

    @property
    def blocks(self) -> StorageSettings:
        """Where blocks are kept; ConfigurationError when they cannot be there."""
        return StorageSettings(
            where=self.storage,
            sse=self.storage_sse,
            kms_key_id=self.storage_kms_key_id,
            cache_bytes=self.storage_cache_bytes,
            adopt=self.storage_adopt,
        )

    def encode(self) -> str:
        """As JSON, for a process's command line; no secret is in it, only where secrets lie."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def decode(cls, text: str) -> ServeSettings:
        """What `encode` made text of."""
        given = json.loads(text)
        paths = {name: Path(given[name]) for name in PATHS if given[name] is not None}
        return cls(**{**given, **paths})


PATHS: Final = ("data_dir", "limits", "tls_cert", "tls_key", "tls_client_ca", "tokens")


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
