"""Exports requests over a transport: all on the caller's thread, many in flight, none ever sent twice."""

from __future__ import annotations

import select
from collections import deque
from itertools import cycle
from selectors import DefaultSelector
from time import monotonic_ns
from typing import Final

from vivace.send.answer import Answer, Outcome
from vivace.send.call import Call
from vivace.send.channel import Channel
from vivace.send.credential import Token
from vivace.send.dialect import dialect_of
from vivace.send.exporter import Ended, Exporter
from vivace.send.request import InFlight
from vivace.send.transport import Transport
from vivace.telemetry.template import Signal

__all__ = ["Exporter", "TransportExporter", "open_exporter"]

TEND_NS: Final = 500_000_000
"""How often the token and silent connections are looked after."""


def open_exporter(transport: Transport, signal: Signal) -> Exporter:
    """The way to a target; nothing is sent yet."""
    return TransportExporter(transport, signal)


class TransportExporter(Exporter):
    """OTLP to one or several endpoints in turn. An endpoint that is down fails its own share."""

    def __init__(self, transport: Transport, signal: Signal) -> None:
        self._timeout_s = transport.timeout_s
        self._timeout_ns = round(transport.timeout_s * 1e9)
        self._token = None if transport.token_file is None else Token(transport.token_file)
        self._dialect = dialect_of(transport, signal, self._token)
        self._selector = DefaultSelector()
        self._channels = [
            Channel(endpoint, self._dialect, self._selector, self._end) for endpoint in transport.endpoints
        ]
        self._turn = cycle(self._channels)
        self._requests: dict[Call, InFlight] = {}
        self._deadlines: deque[tuple[int, Call, Channel]] = deque()
        self._ended: list[Ended] = []
        self._next_tend_ns = 0

    @property
    def connected(self) -> bool:
        return any(channel.connected for channel in self._channels)

    def connect(self, seconds: float) -> bool:
        give_up_ns = monotonic_ns() + round(seconds * 1e9)
        while self.troubles() and monotonic_ns() < give_up_ns:
            for channel in self._channels:
                if not channel.connected:
                    channel.connect()
            self._poll(0.01)
        return not self.troubles()

    def troubles(self) -> dict[str, str]:
        return {channel.endpoint: channel.why for channel in self._channels if not channel.connected}

    def export(self, payload: bytes, request: InFlight) -> None:
        channel = next(self._turn)
        deadline_ns = monotonic_ns() + self._timeout_ns
        try:
            call = self._dialect.call(payload)
        except ValueError as error:
            answer = Answer(Outcome.FAILED, "INVALID_ARGUMENT", f"the request cannot be written: {error}")
            self._ended.append(Ended(request, monotonic_ns(), answer))
            return
        self._requests[call] = request
        self._deadlines.append((deadline_ns, call, channel))
        channel.open(call)

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
        for channel in self._channels:
            channel.close()

    def _poll(self, seconds: float) -> None:
        """Waits to the microsecond, which the selector alone does not."""
        if seconds > 0:
            select.select([self._selector.fileno()], [], [], seconds)
        for key, events in self._selector.select(0):
            channel, link = key.data
            channel.act(link, events)
        now_ns = monotonic_ns()
        if now_ns >= self._next_tend_ns:
            self._next_tend_ns = now_ns + TEND_NS
            self._tend(now_ns)

    def _tend(self, now_ns: int) -> None:
        renewed = self._token is not None and self._token.changed()
        for channel in self._channels:
            channel.tend(now_ns)
            if renewed:
                channel.retire()

    def _expire(self) -> int:
        """Ends the calls whose time is over; gives the time."""
        now_ns = monotonic_ns()
        while self._deadlines and (self._deadlines[0][0] <= now_ns or self._deadlines[0][1] not in self._requests):
            _, call, channel = self._deadlines.popleft()
            if call in self._requests:
                channel.time_out(call, self._timeout_s)
        return now_ns

    def _end(self, call: Call, ended_ns: int, answer: Answer) -> None:
        self._ended.append(Ended(self._requests.pop(call), ended_ns, answer))
