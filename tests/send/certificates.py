"""Certificates for tests: authorities, servers and clients, good and bad."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from vivace.send.sink import ServerTls


class Authority:
    """Issues certificates into a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._authority = trustme.CA()
        self.file = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.file))

    def issue(self, name: str, *identities: str, days: int = 1) -> tuple[Path, Path]:
        """Certificate and key for these hosts; negative days: it expired so long ago."""
        until = datetime.now(UTC) + timedelta(days=days)
        leaf = self._authority.issue_cert(*identities, not_before=until - timedelta(days=9), not_after=until)
        cert, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(str(key))
        return cert, key

    def server(self, name: str, *identities: str, days: int = 1, client_ca: Path | None = None) -> ServerTls:
        """What a sink needs."""
        cert, key = self.issue(name, *identities, days=days)
        return ServerTls(cert_file=cert, key_file=key, client_ca_file=client_ca)
