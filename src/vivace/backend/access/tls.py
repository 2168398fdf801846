"""TLS of a server: the files, what is wrong with them, and what HTTP and gRPC servers are told of them."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc

from vivace.backend.followed import Followed
from vivace.errors import ConfigurationError

HTTP_1: Final = ("http/1.1",)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What the files hold, for both kinds of servers."""

    context: ssl.SSLContext
    key: bytes
    cert: bytes
    authority: bytes | None

    def for_grpc(self) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([(self.key, self.cert)], self.authority)


class ServerTls:
    """A certificate with its key, in PEM, which may change meanwhile: new connections get what is there by then."""

    def __init__(
        self,
        cert: Path,
        key: Path,
        client_ca: Path | None = None,
        protocols: Sequence[str] = HTTP_1,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        """With `client_ca` a caller must show a certificate that it signed. ConfigurationError with every problem.

        `protocols` are those that an HTTP server speaks; who speaks several is answered in the first.
        """
        files = (cert, key) if client_ca is None else (cert, key, client_ca)
        self._now = Followed(
            files, lambda: _loaded(cert, key, client_ca, protocols), "the certificates stay as they were", report
        )

    def look(self) -> None:
        """Reads the files again if they have changed."""
        self._now.look()

    def context(self) -> ssl.SSLContext:
        """For an HTTP server: a context that passes every new connection on to the present one.

        Who resumes a session that began under another authority is turned away: nobody would look at its own again.
        """
        first = self._now.value

        def pass_on(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> int | None:
            present = self._now.value
            if connection.session_reused and present.authority != first.authority:
                return ssl.ALERT_DESCRIPTION_UNKNOWN_CA
            connection.context = present.context
            return None

        first.context.sni_callback = pass_on
        return first.context

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """For one port of a gRPC server."""
        first = shown = self._now.value

        def changed() -> grpc.ServerCertificateConfiguration | None:
            nonlocal shown
            if shown is self._now.value:
                return None
            shown = self._now.value
            return shown.for_grpc()

        wanted = first.authority is not None
        return grpc.dynamic_ssl_server_credentials(first.for_grpc(), changed, wanted)  # type: ignore[arg-type] # None is fine


def server_tls(
    cert: Path | None,
    key: Path | None,
    client_ca: Path | None,
    protocols: Sequence[str] = HTTP_1,
    report: Callable[[str], None] = lambda _: None,
) -> ServerTls | None:
    """None without a certificate. ConfigurationError with a line for each problem; `report` is told of later ones."""
    _check(cert, key, client_ca)
    return None if cert is None or key is None else ServerTls(cert, key, client_ca, protocols, report)


def _loaded(cert: Path, key: Path, client_ca: Path | None, protocols: Sequence[str]) -> _Loaded:
    _check(cert, key, client_ca)
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key, _no_password)
        context.set_alpn_protocols(list(protocols))
        if client_ca is not None:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
            context.options |= ssl.OP_NO_TICKET  # what is resumed is to be seen, before it is
            context.num_tickets = 0
        authority = None if client_ca is None else client_ca.read_bytes()
        return _Loaded(context, key.read_bytes(), cert.read_bytes(), authority)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"--tls-cert {cert}: changed while it was read ({error}); try again") from error


def _check(cert: Path | None, key: Path | None, client_ca: Path | None) -> None:
    problems = list(_problems(cert, key, client_ca))
    if problems:
        raise ConfigurationError("\n".join(problems))


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
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError; the files may have gone since
            yield (
                f"--tls-cert {cert}, --tls-key {key}: cannot be used together ({error});"
                " give a certificate in PEM and its own key, without a passphrase"
            )
    if client_ca is not None:
        try:
            context.load_verify_locations(client_ca)
        except OSError as error:
            yield f"--tls-client-ca {client_ca}: holds no certificates ({error}); give those of an authority, in PEM"


def _no_password() -> str:
    raise ValueError("the key has a passphrase")
