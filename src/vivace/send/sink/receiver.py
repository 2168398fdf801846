"""What runs in a sink's process: listeners, connections, answers that are due later; one thread, no locks."""

from __future__ import annotations

import selectors
import socket
import ssl
from contextlib import ExitStack
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from multiprocessing.connection import Connection
from time import monotonic

from vivace.send.shared import SharedWords, words_of
from vivace.send.sink.client import Client
from vivace.send.sink.counts import COUNTERS
from vivace.send.sink.distinct import TraceCounter
from vivace.send.sink.request import Reply, Request
from vivace.send.sink.settings import Counting, SinkSettings
from vivace.send.sink.taking import Taking


@dataclass(frozen=True, slots=True)
class Receiver:
    """One process of a sink."""

    settings: SinkSettings
    addresses: tuple[str, ...]
    """With the true ports, once the first process has taken them."""
    process: int

    def run(self, shared: SharedWords, orders: Connection) -> None:
        """Receives until the other end of `orders` is closed."""
        with ExitStack() as stack:
            try:
                listeners = [stack.enter_context(self._listen(address)) for address in self.addresses]
            except OSError:
                orders.send(None)
                return
            loop = Loop(stack.enter_context(selectors.DefaultSelector()), self._taking(shared), self._context())
            taken = zip(self.addresses, listeners, strict=True)
            orders.send(tuple(f"{name.rpartition(':')[0]}:{one.getsockname()[1]}" for name, one in taken))
            loop.run(listeners, orders)

    def _taking(self, shared: SharedWords) -> Taking:
        words = words_of(shared)
        traces = None
        if self.settings.counting is Counting.TRACES:
            traces = TraceCounter(words[COUNTERS:], self.settings.most_traces)
        return Taking(self.settings, self.process, words[:COUNTERS], traces)

    def _context(self) -> ssl.SSLContext | None:
        return None if self.settings.tls is None else self.settings.tls.context()

    def _listen(self, address: str) -> socket.socket:
        host, _, port = address.rpartition(":")
        family, kind, _, _, name = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.settings.processes > 1:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            listener.bind(name)
            listener.listen(1024)
        except OSError:
            listener.close()
            raise
        return listener


class Loop:
    """Attends to whatever is ready."""

    def __init__(self, selector: selectors.BaseSelector, taking: Taking, context: ssl.SSLContext | None) -> None:
        self._selector = selector
        self._taking = taking
        self._context = context
        self._due: list[tuple[float, int, Client, Request, Reply]] = []
        self._number = count()

    def run(self, listeners: list[socket.socket], orders: Connection) -> None:
        """Until the other end of `orders` is closed."""
        for listener in listeners:
            self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(orders, selectors.EVENT_READ)
        while True:
            for key, events in self._selector.select(self._seconds()):
                if key.fileobj is orders:
                    return
                if isinstance(key.data, Client):
                    key.data.act(events)
                    self._settle(key.data)
                elif isinstance(key.fileobj, socket.socket):
                    self._accept(key.fileobj)
            self._answer_due()

    def _accept(self, listener: socket.socket) -> None:
        try:
            client = Client(listener.accept()[0], self._taking, self._later, self._context)
        except OSError:
            return  # it has gone again
        self._selector.register(client.number, client.events, client)

    def _settle(self, client: Client) -> None:
        """Waits for what a client waits for; forgets it when it has ended."""
        if not client.alive:
            self._forget(client)
            return
        key = self._selector.get_key(client.number)
        if key.events != client.events:
            self._selector.modify(client.number, client.events, client)

    def _forget(self, client: Client) -> None:
        if self._selector.get_map().get(client.number) is not None:
            self._selector.unregister(client.number)

    def _later(self, client: Client, request: Request, reply: Reply) -> None:
        heappush(self._due, (monotonic() + self._taking.delay_s, next(self._number), client, request, reply))

    def _seconds(self) -> float | None:
        """Until the next answer is due."""
        return max(0.0, self._due[0][0] - monotonic()) if self._due else None

    def _answer_due(self) -> None:
        while self._due and self._due[0][0] <= monotonic():
            _, _, client, request, reply = heappop(self._due)
            if client.alive:
                client.answer(request, reply)
                self._settle(client)
