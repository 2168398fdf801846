"""Certificates for servers and callers, as files."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc
import trustme


@dataclass(frozen=True)
class Certificates:
    """An authority, and what it signed."""

    authority: Path
    server_cert: Path
    server_key: Path
    client_cert: Path
    client_key: Path

    @classmethod
    def made(cls, folder: Path) -> Certificates:
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{name}.pem" for name in ("ca", "server", "server-key", "client", "client-key")]
        authority.cert_pem.write_to_path(str(paths[0]))
        for place, name in ((1, "127.0.0.1"), (3, "caller@example.org")):
            issued = authority.issue_cert(name)
            issued.cert_chain_pems[0].write_to_path(str(paths[place]))
            issued.private_key_pem.write_to_path(str(paths[place + 1]))
        return cls(*paths)

    def context(self, shown: bool = False) -> ssl.SSLContext:
        """For a client over HTTP, which shows its certificate or none."""
        context = ssl.create_default_context(cafile=str(self.authority))
        if shown:
            context.load_cert_chain(self.client_cert, self.client_key)
        return context

    def credentials(self, shown: bool = False) -> grpc.ChannelCredentials:
        """For a client over gRPC, which shows its certificate or none."""
        pair = (self.client_key.read_bytes(), self.client_cert.read_bytes()) if shown else (None, None)
        return grpc.ssl_channel_credentials(self.authority.read_bytes(), *pair)
