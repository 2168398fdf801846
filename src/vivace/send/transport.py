"""How requests reach a target: where it is, which protocol it speaks, how it is trusted and what it is told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import Final

from vivace.errors import ConfigurationError
from vivace.send.tls import Tls

__all__ = ["Compression", "OtlpProtocol", "Tls", "Transport"]

HEADER: Final = re.compile(r"[a-z0-9_.-]+")
MOST_HEADERS: Final = 8192
"""Bytes; with them every request's headers fit into one frame."""
OURS: Final = frozenset({"content-type", "content-length", "content-encoding", "transfer-encoding", "te", "connection"})
"""Headers that follow from the request."""
PREFIX: Final = re.compile(r"(/[A-Za-z0-9._~%-]+)*")


class OtlpProtocol(StrEnum):
    """By the names of the specification."""

    GRPC = "grpc"
    HTTP_PROTOBUF = "http/protobuf"
    HTTP_JSON = "http/json"


class Compression(StrEnum):
    """Of each request."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """The way to a target. ConfigurationError names everything that is wrong with it, a line for each."""

    endpoints: tuple[str, ...]
    """host:port of each; requests go to them in turn."""
    protocol: OtlpProtocol = OtlpProtocol.GRPC
    compression: Compression = Compression.NONE
    tls: Tls | None = None
    """None: plaintext."""
    headers: Mapping[str, str] = field(default_factory=dict)
    token_file: Path | None = None
    """Holds a bearer token; read again whenever it changes."""
    prefix: str = ""
    """Comes before /v1/traces and so on, over HTTP."""
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ConfigurationError("\n".join(problems))

    @property
    def scheme(self) -> str:
        return "http" if self.tls is None else "https"

    def _problems(self) -> Iterator[str]:
        if not self.endpoints:
            yield "endpoint: none is given; give host:port, such as 127.0.0.1:4317"
        for endpoint in self.endpoints:
            host, _, port = endpoint.rpartition(":")
            if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65_536:
                yield f"endpoint: '{endpoint}' is not host:port; give one, such as 127.0.0.1:4317"
        if not (isfinite(self.timeout_s) and self.timeout_s > 0):
            yield f"timeout: {self.timeout_s} is not above zero; give seconds"
        if not PREFIX.fullmatch(self.prefix):
            yield f"prefix: '{self.prefix}' is no path; give one such as /otlp, without a slash at its end"
        elif self.prefix and self.protocol is OtlpProtocol.GRPC:
            yield f"prefix: gRPC has no paths to put '{self.prefix}' before; leave it out, or choose http/protobuf"
        if self.tls is not None:
            yield from self.tls.problems()
        yield from self._header_problems()
        yield from self._token_problems()

    def _header_problems(self) -> Iterator[str]:
        for name, value in self.headers.items():
            if not HEADER.fullmatch(name.lower()) or name.lower().startswith("grpc-"):
                yield f"headers: '{name}' is no header's name; use letters, digits and - _ . (grpc-… is reserved)"
            elif name.lower() in OURS:
                yield f"headers: '{name}' follows from the request; leave it out"
            elif not (value.isascii() and value.isprintable()):
                yield f"headers: the value of '{name}' has characters that no header can carry; use printable ASCII"
        size = sum(len(name) + len(value) for name, value in self.headers.items())
        if size > MOST_HEADERS:
            yield f"headers: {size} bytes are too many; at most {MOST_HEADERS} are sent"

    def _token_problems(self) -> Iterator[str]:
        if self.token_file is None:
            return
        if any(name.lower() == "authorization" for name in self.headers):
            yield "headers: 'authorization' is given beside token_file; give one of the two"
        try:
            read_token(self.token_file)
        except (OSError, ValueError) as error:
            yield f"token_file: {self.token_file}: {_reason(error)}; give a file that holds the token alone"


def read_token(path: Path) -> str:
    """The bearer token in a file. OSError when it cannot be read; ValueError when it is no token."""
    token = path.read_text("ascii").strip()
    if not token or not token.isprintable() or " " in token:
        raise ValueError("it holds no token")
    return token


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return f"it cannot be read ({error.strerror})"
    return "it holds no token"
