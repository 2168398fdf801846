"""What OTLP's protocols differ in: how a request is written, over which connection, and how its answer is read."""

from __future__ import annotations

import ssl
from math import ceil
from typing import Final, Protocol

from vivace import __version__
from vivace.send.answer import Answer, reset_answer, response_answer
from vivace.send.call import Call, Field
from vivace.send.compress import compressor
from vivace.send.connection import Connection
from vivace.send.credential import Token
from vivace.send.http1.client import ClientConnection as Http1Connection
from vivace.send.http2.client import ClientConnection as Http2Connection
from vivace.send.http_answer import http_answer
from vivace.send.json_request import JsonWriter
from vivace.send.link import Secret
from vivace.send.protocol import METHODS, PATHS
from vivace.send.transport import Compression, OtlpProtocol, Transport
from vivace.telemetry.template import Signal

LONGEST_IN_MILLISECONDS: Final = 10_000
"""Seconds; gRPC's timeouts have at most 8 digits."""


class Dialect(Protocol):
    """One protocol as a transport wants it."""

    def call(self, payload: bytes) -> Call:
        """A request with this OTLP message; ValueError when it cannot be written."""

    def connection(self, endpoint: str) -> Connection:
        """A new connection's state."""

    def answer(self, call: Call, delivered: bool) -> Answer:
        """What a call's end means."""

    def secret(self, endpoint: str) -> Secret | None:
        """How its connections are made secret, if at all."""


class GrpcDialect:
    """OTLP over gRPC: a message of raw bytes in a stream of HTTP/2."""

    def __init__(self, transport: Transport, signal: Signal, token: Token | None = None) -> None:
        self._transport = transport
        self._signal = signal
        self._token = token
        self._compress = compressor(transport.compression)
        self._context = None if transport.tls is None else transport.tls.context("h2")

    def call(self, payload: bytes) -> Call:
        return Call(payload) if self._compress is None else Call(self._compress(payload), compressed=True)

    def connection(self, endpoint: str) -> Connection:
        return Http2Connection(self._fields(endpoint))

    def answer(self, call: Call, delivered: bool) -> Answer:
        return response_answer(call.headers, call.body) if call.reset is None else reset_answer(call.reset, delivered)

    def secret(self, endpoint: str) -> Secret | None:
        return _secret(self._transport, self._context, endpoint, "h2")

    def _fields(self, endpoint: str) -> list[Field]:
        timeout_s = self._transport.timeout_s
        own = {
            ":method": "POST",
            ":scheme": self._transport.scheme,
            ":path": METHODS[self._signal],
            ":authority": _authority(self._transport, endpoint),
            "te": "trailers",
            "content-type": "application/grpc",
            "user-agent": f"vivace/{__version__}",
            "grpc-timeout": (
                f"{ceil(timeout_s * 1000)}m" if timeout_s < LONGEST_IN_MILLISECONDS else f"{ceil(timeout_s)}S"
            ),
        }
        if self._compress is not None:
            own["grpc-encoding"] = self._transport.compression
        return _encoded(own | _given(self._transport, self._token))


class HttpDialect:
    """OTLP over HTTP/1.1, in protobuf or JSON: a POST for each request, one at a time on a connection."""

    def __init__(self, transport: Transport, signal: Signal, token: Token | None = None) -> None:
        self._transport = transport
        self._target = (transport.prefix + PATHS[signal]).encode()
        self._token = token
        self._compress = compressor(transport.compression)
        self._json = JsonWriter(signal) if transport.protocol is OtlpProtocol.HTTP_JSON else None
        self._context = None if transport.tls is None else transport.tls.context("http/1.1")

    def call(self, payload: bytes) -> Call:
        if self._json is not None:
            payload = self._json.write(payload)
        return Call(payload if self._compress is None else self._compress(payload))

    def connection(self, endpoint: str) -> Connection:
        own = {
            "host": _authority(self._transport, endpoint),
            "content-type": "application/x-protobuf" if self._json is None else "application/json",
            "user-agent": f"vivace/{__version__}",
        }
        if self._transport.compression is not Compression.NONE:
            own["content-encoding"] = self._transport.compression
        return Http1Connection(self._target, _encoded(own | _given(self._transport, self._token)))

    def answer(self, call: Call, delivered: bool) -> Answer:  # noqa: ARG002 - an answer is one, however it came
        return http_answer(call.status, call.headers, call.body)

    def secret(self, endpoint: str) -> Secret | None:
        return _secret(self._transport, self._context, endpoint, "http/1.1")


def dialect_of(transport: Transport, signal: Signal, token: Token | None) -> Dialect:
    """The dialect that a transport names."""
    if transport.protocol is OtlpProtocol.GRPC:
        return GrpcDialect(transport, signal, token)
    return HttpDialect(transport, signal, token)


def _given(transport: Transport, token: Token | None) -> dict[str, str]:
    given = {name.lower(): value for name, value in transport.headers.items()}
    return given if token is None else given | {"authorization": f"Bearer {token.value}"}


def _encoded(named: dict[str, str]) -> list[Field]:
    return [(name.encode(), value.encode()) for name, value in named.items()]


def _authority(transport: Transport, endpoint: str) -> str:
    """The name that the target knows itself by."""
    if transport.tls is None or transport.tls.server_name is None:
        return endpoint
    return f"{transport.tls.server_name}:{endpoint.rpartition(':')[2]}"


def _secret(transport: Transport, context: ssl.SSLContext | None, endpoint: str, alpn: str) -> Secret | None:
    if transport.tls is None or context is None:
        return None
    host = endpoint.rpartition(":")[0].strip("[]")
    return Secret(context, transport.tls.server_name or host, alpn, alpn_required=alpn == "h2")
