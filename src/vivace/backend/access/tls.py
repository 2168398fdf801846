"""TLS of a server: the files, what is wrong with them, and what HTTP and gRPC servers are told of them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from vivace.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class ServerTls:
    """A certificate with its key, in PEM; with `client_ca` a caller must show a certificate that it signed."""

    cert: Path
    key: Path
    client_ca: Path | None = None

    def uvicorn_arguments(self) -> dict[str, Any]:
        """For uvicorn.Config."""
        arguments: dict[str, Any] = {"ssl_certfile": str(self.cert), "ssl_keyfile": str(self.key)}
        if self.client_ca is not None:
            arguments |= {"ssl_ca_certs": str(self.client_ca), "ssl_cert_reqs": ssl.CERT_REQUIRED}
        return arguments

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """For a port of a gRPC server."""
        authority = None if self.client_ca is None else self.client_ca.read_bytes()
        pair = (self.key.read_bytes(), self.cert.read_bytes())
        return grpc.ssl_server_credentials([pair], authority, require_client_auth=authority is not None)


def server_tls(cert: Path | None, key: Path | None, client_ca: Path | None) -> ServerTls | None:
    """None without a certificate. ConfigurationError with a line for each problem."""
    problems = list(_problems(cert, key, client_ca))
    if problems:
        raise ConfigurationError("\n".join(problems))
    return ServerTls(cert, key, client_ca) if cert is not None and key is not None else None


def _problems(cert: Path | None, key: Path | None, client_ca: Path | None) -> Iterator[str]:
    if cert is None and key is not None:
        yield "--tls-key: is given without --tls-cert; give the certificate that belongs to the key"
    if key is None and cert is not None:
        yield "--tls-cert: is given without --tls-key; give the key that belongs to the certificate"
    if client_ca is not None and cert is None and key is None:
        yield "--tls-client-ca: is given without --tls-cert and --tls-key; callers show certificates over TLS alone"
    files = {"--tls-cert": cert, "--tls-key": key, "--tls-client-ca": client_ca}
    unreadable = list(_unreadable(files))
    yield from unreadable
    if not unreadable:
        yield from _unusable(cert, key, client_ca)


def _unreadable(files: dict[str, Path | None]) -> Iterator[str]:
    for flag, path in files.items():
        try:
            if path is not None:
                path.read_bytes()
        except OSError as error:
            yield f"{flag} {path}: cannot be read ({error.strerror or error}); give a PEM file that can be read"


def _unusable(cert: Path | None, key: Path | None, client_ca: Path | None) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if cert is not None and key is not None:
        try:
            context.load_cert_chain(cert, key, _no_password)
        except (ssl.SSLError, ValueError) as error:
            yield (
                f"--tls-cert {cert}, --tls-key {key}: cannot be used together ({error});"
                " give a certificate in PEM and its own key, without a passphrase"
            )
    if client_ca is not None:
        try:
            context.load_verify_locations(client_ca)
        except ssl.SSLError as error:
            yield f"--tls-client-ca {client_ca}: holds no certificates ({error}); give those of an authority, in PEM"


def _no_password() -> str:
    raise ValueError("the key has a passphrase")
