"""Exports requests over gRPC: raw bytes, on one connection, on the caller's thread."""

from __future__ import annotations

import select
import socket
from collections import deque
from collections.abc import Mapping
from math import ceil
from time import monotonic_ns
from typing import Final

from vivace import __version__
from vivace.errors import ConfigurationError
from vivace.send.answer import Answer, lost_answer, reset_answer, response_answer, timeout_answer
from vivace.send.exporter import Ended, Exporter
from vivace.send.http2.client import Call, ClientConnection
from vivace.send.http2.headers import Field
from vivace.send.http2.link import Address, Link
from vivace.send.protocol import METHODS
from vivace.send.request import InFlight
from vivace.send.transport import Compression, OtlpProtocol, Transport
from vivace.telemetry.template import Signal

__all__ = ["Ended", "Exporter", "GrpcExporter", "open_exporter", "request_fields", "resolve"]

FIRST_PAUSE_NS: Final = 100_000_000
LONGEST_PAUSE_NS: Final = 1_000_000_000
"""Between attempts to connect."""
SILENCE_NS: Final = 30_000_000_000
"""After which the target is asked for a sign of life while it owes an answer; it has as long again to give one."""


def open_exporter(transport: Transport, signal: Signal) -> Exporter:
    """The way to a target; nothing is sent yet."""
    plain = transport.tls is None and transport.compression is Compression.NONE and transport.token_file is None
    if transport.protocol is not OtlpProtocol.GRPC or not plain or len(transport.endpoints) > 1:
        raise ConfigurationError("otlp: only plaintext gRPC to one endpoint can be sent; leave the other settings out")
    return GrpcExporter(transport.endpoints[0], signal, transport.timeout_s, transport.headers)


class GrpcExporter(Exporter):
    """OTLP over gRPC on one connection, made anew when it is lost. A request is sent once and never again."""

    def __init__(self, endpoint: str, signal: Signal, timeout_s: float, headers: Mapping[str, str]) -> None:
        self._endpoint = endpoint
        self._fields = request_fields(endpoint, signal, timeout_s, headers)
        self._timeout_s = timeout_s
        self._links: list[Link] = []  # the last takes new calls, the others only finish theirs
        self._requests: dict[Call, InFlight] = {}
        self._deadlines: deque[tuple[int, Call]] = deque()
        self._ended: list[Ended] = []
        self._attempt = 0
        self._pause_ns = FIRST_PAUSE_NS
        self._next_attempt_ns = 0
        self._why = "failed to connect"

    @property
    def connected(self) -> bool:
        return bool(self._links) and self._links[-1].connection.ready

    def connect(self, seconds: float) -> bool:
        give_up_ns = monotonic_ns() + round(seconds * 1e9)
        while not self.connected and monotonic_ns() < give_up_ns:
            self._link()
            self._poll(0.01)
        return self.connected

    def export(self, payload: bytes, request: InFlight) -> None:
        now_ns = monotonic_ns()
        call = Call(payload)
        self._requests[call] = request
        self._deadlines.append((now_ns + round(self._timeout_s * 1e9), call))
        link = self._link()
        if link is None:
            self._end(call, now_ns, lost_answer(self._why, delivered=False))
            return
        link.connection.open(call)
        link.flush()

    def wait(self, seconds: float) -> list[Ended]:
        until_ns = monotonic_ns() + round(seconds * 1e9)
        now_ns = self._expire()
        self._poll(0.0)
        while not self._ended and now_ns < until_ns:
            next_ns = min(until_ns, self._deadlines[0][0]) if self._deadlines else until_ns
            self._poll(max(0, next_ns - now_ns) / 1e9)
            now_ns = self._expire()
        ended, self._ended = self._ended, []
        return ended

    def close(self) -> None:
        for link in self._links:
            link.close()
        self._bury()

    def _link(self) -> Link | None:
        """What takes new calls; None while there is a pause between attempts to connect."""
        if self._links and self._links[-1].lost is None and not self._links[-1].connection.closing:
            return self._links[-1]
        now_ns = monotonic_ns()
        if now_ns < self._next_attempt_ns:
            return None
        try:
            addresses = resolve(self._endpoint)
        except OSError as error:
            self._pause(f"failed to resolve {self._endpoint}: {error.strerror}")
            return None
        self._links.append(Link(addresses[self._attempt % len(addresses)], ClientConnection(self._fields)))
        return self._links[-1]

    def _pause(self, why: str) -> None:
        """After an attempt to connect that failed."""
        self._why = why
        self._attempt += 1
        self._next_attempt_ns = monotonic_ns() + self._pause_ns
        self._pause_ns = min(2 * self._pause_ns, LONGEST_PAUSE_NS)

    def _poll(self, seconds: float) -> None:
        self._bury()
        reading = [link for link in self._links if link.connected]
        writing = [link for link in self._links if link.wants_to_write]
        readable, writable, _ = select.select(reading, writing, [], seconds)
        for link in writable:
            link.can_write()
        for link in readable:
            link.can_read()
            link.flush()
        ended_ns = monotonic_ns()
        for link in self._links:
            self._take_ended(link, ended_ns)
            link.check_alive(ended_ns, SILENCE_NS)
        self._bury()

    def _take_ended(self, link: Link, ended_ns: int) -> None:
        connection = link.connection
        if connection.ended:
            for call in connection.ended:
                if call.reset is None:
                    self._end(call, ended_ns, response_answer(call.headers, call.body))
                else:
                    self._end(call, ended_ns, reset_answer(call.reset, connection.delivered(call)))
            connection.ended.clear()
            self._pause_ns = FIRST_PAUSE_NS

    def _bury(self) -> None:
        """Ends the calls of connections that were lost, and moves on from those that take no more."""
        for link in [link for link in self._links if link.lost is not None or link.connection.closing]:
            if link.lost is not None:
                self._lose(link, link.lost)
            elif not link.connection.calls():
                link.close()
                self._links.remove(link)
            else:
                self._move_unopened(link)

    def _lose(self, link: Link, why: str) -> None:
        self._links.remove(link)
        now_ns = monotonic_ns()
        for call in link.connection.calls():
            self._end(call, now_ns, lost_answer(why, link.connection.delivered(call)))
        if not link.connection.ready:
            self._pause(why)

    def _move_unopened(self, link: Link) -> None:
        for call in link.connection.unopened():
            other = self._link()
            if other is None:
                self._end(call, monotonic_ns(), lost_answer(self._why, delivered=False))
            else:
                other.connection.open(call)
                other.flush()

    def _expire(self) -> int:
        """Ends the calls whose time is over; gives the time."""
        now_ns = monotonic_ns()
        while self._deadlines and (self._deadlines[0][0] <= now_ns or self._deadlines[0][1] not in self._requests):
            call = self._deadlines.popleft()[1]
            if call in self._requests:
                self._time_out(call, now_ns)
        return now_ns

    def _time_out(self, call: Call, now_ns: int) -> None:
        link = next(link for link in self._links if call in link.connection.calls())
        self._end(call, now_ns, timeout_answer(self._timeout_s, link.connection.delivered(call)))
        link.connection.abandon(call)
        link.flush()

    def _end(self, call: Call, ended_ns: int, answer: Answer) -> None:
        self._ended.append(Ended(self._requests.pop(call), ended_ns, answer))


def request_fields(endpoint: str, signal: Signal, timeout_s: float, headers: Mapping[str, str]) -> list[Field]:
    """The headers of every request."""
    own = {
        ":method": "POST",
        ":scheme": "http",
        ":path": METHODS[signal],
        ":authority": endpoint,
        "te": "trailers",
        "content-type": "application/grpc",
        "user-agent": f"vivace/{__version__}",
        "grpc-timeout": f"{ceil(timeout_s * 1000)}m" if timeout_s < 10_000 else f"{ceil(timeout_s)}S",
    }
    named = own | {name.lower(): value for name, value in headers.items()}
    return [(name.encode(), value.encode()) for name, value in named.items()]


def resolve(endpoint: str) -> list[Address]:
    """The addresses behind host:port; OSError when there are none."""
    host, _, port = endpoint.rpartition(":")
    found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    return [(family, name) for family, _, _, _, name in found]
