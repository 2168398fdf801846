"""TLS on sockets that never block: whom we trust, who we are, and what went wrong in words that help."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

EXPIRED: Final = 10
NOT_YET_VALID: Final = 9
OTHER_NAME: Final = frozenset({62, 64})
"""OpenSSL's codes of a certificate that was not accepted."""
NOT_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Whom the target must prove to be, and how we prove who we are."""

    ca_file: Path | None = None
    """Certificates (PEM) that are trusted instead of the system's."""
    cert_file: Path | None = None
    """Our own certificate (PEM), for targets that ask for one."""
    key_file: Path | None = None
    server_name: str | None = None
    """The name in the target's certificate, when it is not the endpoint's host."""

    def context(self, alpn: str) -> ssl.SSLContext:
        """For connections on which this protocol is spoken; OSError when a file cannot be used."""
        context = ssl.create_default_context(cafile=self.ca_file)
        context.set_alpn_protocols([alpn])
        if self.cert_file is not None:
            context.load_cert_chain(self.cert_file, self.key_file, password="")
        return context

    def problems(self) -> Iterator[str]:
        """What is wrong with it, a line each."""
        missing = False
        for name in ("ca_file", "cert_file", "key_file"):
            path: Path | None = getattr(self, name)
            if path is not None and not path.is_file():
                missing = True
                yield f"{name}: {path} is not a file; give a PEM file that can be read"
        if (self.cert_file is None) != (self.key_file is None):
            absent, given = ("cert_file", "key_file") if self.cert_file is None else ("key_file", "cert_file")
            yield f"{absent}: missing beside {given}; a client certificate needs both"
        elif not missing:
            yield from self._unusable()

    def _unusable(self) -> Iterator[str]:
        if self.ca_file is not None:
            try:
                Tls(ca_file=self.ca_file).context("h2")
            except OSError:
                yield f"ca_file: {self.ca_file} holds no certificate; give a PEM file with the authority's"
        if self.cert_file is not None:
            try:
                Tls(cert_file=self.cert_file, key_file=self.key_file).context("h2")
            except OSError as error:
                why = "do not belong together" if "MISMATCH" in str(error) else "cannot be used"
                yield f"cert_file: {self.cert_file} and {self.key_file} {why}; give a PEM certificate and its plain key"


class TlsStream:
    """Reads and writes through TLS; raises BlockingIOError as a plain socket does."""

    LARGEST: Final = 1 << 17
    """Bytes that are encrypted at once."""

    def __init__(self, socket: ssl.SSLSocket) -> None:
        self._socket = socket
        self._unwritten = b""

    def write(self, buffers: Sequence[bytes | memoryview]) -> int:
        """Writes the first of the buffers' bytes; how many. What could not be written must be offered again."""
        if not self._unwritten:
            self._unwritten = _first(buffers, self.LARGEST)
        try:
            size = self._socket.send(self._unwritten)
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError) as error:
            raise BlockingIOError from error
        self._unwritten = b"" if size == len(self._unwritten) else self._unwritten[size:]
        return size

    def read_into(self, room: memoryview) -> int:
        """How many bytes were read; 0 at the end."""
        try:
            return self._socket.recv_into(room)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            raise BlockingIOError from error
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return 0


def _first(buffers: Sequence[bytes | memoryview], most: int) -> bytes:
    """Up to so many bytes, so that small buffers share a record and large ones are not copied whole."""
    chosen, size = [], 0
    for buffer in buffers:
        chosen.append(buffer[: most - size])
        size += len(chosen[-1])
        if size >= most:
            break
    return b"".join(chosen)


def explain(error: OSError, name: str) -> str:
    """Why TLS did not come about with a target of that name, and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _explain_certificate(error, name)
    if isinstance(error, ssl.SSLEOFError | ConnectionResetError):
        return "closed by the target in the TLS handshake; see that it speaks TLS there, and what its log says"
    reason = (getattr(error, "reason", None) or "").upper()
    return _explain_reason(reason) or f"{reason or error}; see what the target's log says"


def _explain_reason(reason: str) -> str | None:
    if reason in NOT_TLS:
        return "the target does not speak TLS there; set insecure: true, or give its port for TLS"
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return "the target asks for a client certificate; give cert_file and key_file"
    if "ALERT" in reason and any(word in reason for word in ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")):
        return "the target does not accept our certificate; give a cert_file that it trusts"
    if "NO_APPLICATION_PROTOCOL" in reason:
        return "the target does not speak this protocol over TLS there; choose another protocol or port"
    return None


def _explain_certificate(error: ssl.SSLCertVerificationError, name: str) -> str:
    if error.verify_code == EXPIRED:
        return "the target's certificate has expired; renew it"
    if error.verify_code == NOT_YET_VALID:
        return "the target's certificate is not valid yet; set the clocks of both machines"
    if error.verify_code in OTHER_NAME:
        return f"the target's certificate is not for {name}; give server_name, or an endpoint by the name it has"
    return "the target's certificate is of an authority that is not trusted; give the authority's as ca_file"
