"""The way to one endpoint: its connections, which are made anew when they are lost."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from selectors import BaseSelector
from time import monotonic_ns
from typing import Final, TypeAlias

from vivace.send.answer import Answer, lost_answer, timeout_answer
from vivace.send.call import Call
from vivace.send.dialect import Dialect
from vivace.send.link import Address, Link

FIRST_PAUSE_NS: Final = 100_000_000
LONGEST_PAUSE_NS: Final = 1_000_000_000
"""Between attempts to connect."""
SILENCE_NS: Final = 30_000_000_000
"""After which the target is asked for a sign of life while it owes an answer; it has as long again to give one."""
MOST_LINKS: Final = 256
"""Connections to one endpoint; with a protocol of one request at a time, further requests wait for one."""

End: TypeAlias = "Callable[[Call, int, Answer], None]"
"""Is told of each call's end: when (monotonic), and what came of it."""


class Channel:
    """Links to one endpoint. The owner waits on the selector, whose data are (channel, link), and calls act()."""

    def __init__(self, endpoint: str, dialect: Dialect, selector: BaseSelector, end: End) -> None:
        self.why = "failed to connect: the target says nothing"
        """Why there was no connection when there was none last."""
        self.endpoint = endpoint
        self._dialect = dialect
        self._secret = dialect.secret(endpoint)
        self._selector = selector
        self._end_call = end
        self._links: list[Link] = []
        self._carriers: dict[Call, Link] = {}
        self._queue: deque[Call] = deque()
        self._watched: dict[Link, int] = {}
        self._attempt = 0
        self._pause_ns = FIRST_PAUSE_NS
        self._next_attempt_ns = 0

    @property
    def connected(self) -> bool:
        """Whether there is a connection that the target has welcomed."""
        return any(link.welcome and not link.connection.closing for link in self._links)

    def connect(self) -> None:
        """Begins to, unless it has been begun or has to wait."""
        self._free_link()

    def open(self, call: Call) -> None:
        """Sends the call, or ends it when there is no way."""
        link = self._free_link()
        if link is not None:
            self._carry(call, link)
        elif len(self._links) >= MOST_LINKS:
            self._queue.append(call)
        else:
            self._end(call, lost_answer(self.why, delivered=False))

    def act(self, link: Link, events: int) -> None:
        """Lets a link do what its socket is ready for."""
        link.act(events)
        self._settle(link)

    def tend(self, now_ns: int) -> None:
        """What is to be done now and then."""
        for link in list(self._links):
            link.check_alive(now_ns, SILENCE_NS)
            self._settle(link)

    def time_out(self, call: Call, seconds: float) -> None:
        """Gives up a call that takes too long."""
        link = self._carriers.get(call)
        if link is None:
            self._queue.remove(call)
            self._end(call, timeout_answer(seconds, delivered=False))
            return
        self._end(call, timeout_answer(seconds, link.connection.delivered(call)))
        link.connection.abandon(call)
        link.flush()
        self._settle(link)

    def retire(self) -> None:
        """Opens no more calls on the present connections; those that are open may still be answered."""
        for link in list(self._links):
            link.connection.closing = True
            self._settle(link)

    def close(self) -> None:
        """Gives up what is in flight."""
        for call in self._queue:
            self._end(call, lost_answer("connection closed", delivered=False))
        self._queue.clear()
        for link in list(self._links):
            link.close()
            self._settle(link)

    def _carry(self, call: Call, link: Link) -> None:
        self._carriers[call] = link
        link.connection.open(call)
        link.flush()
        self._settle(link)

    def _free_link(self) -> Link | None:
        """What takes a new call; None when it must wait, or while there is a pause between attempts to connect."""
        for link in reversed(self._links):
            if link.connection.free and link.lost is None:
                return link
        now_ns = monotonic_ns()
        if now_ns < self._next_attempt_ns or len(self._links) >= MOST_LINKS:
            return None
        try:
            addresses = resolve(self.endpoint)
        except OSError as error:
            self._pause(f"failed to resolve {self.endpoint}: {error.strerror}")
            return None
        address = addresses[self._attempt % len(addresses)]
        link = Link(address, self._dialect.connection(self.endpoint), self._secret)
        self._links.append(link)
        return link

    def _settle(self, link: Link) -> None:
        """Takes what has ended on a link, and moves on from it when it is of no more use."""
        if link.connection.ended:
            self._take_ended(link)
        if link.lost is not None:
            self._bury(link, link.lost)
        elif link.connection.closing:
            self._wind_up(link)
        elif self._watched.get(link) != link.events:
            self._watch(link)

    def _watch(self, link: Link) -> None:
        if link in self._watched:
            self._selector.modify(link.number, link.events, (self, link))
        else:
            self._selector.register(link.number, link.events, (self, link))
        self._watched[link] = link.events

    def _take_ended(self, link: Link) -> None:
        ended_ns = monotonic_ns()
        for call in link.connection.ended:
            answer = self._dialect.answer(call, link.connection.delivered(call))
            self._end(call, answer, ended_ns)
        link.connection.ended.clear()
        self._pause_ns = FIRST_PAUSE_NS
        while self._queue and link.connection.free and link.lost is None:
            self._carry(self._queue.popleft(), link)

    def _wind_up(self, link: Link) -> None:
        unopened = link.connection.unopened()
        if not link.connection.calls():
            link.close()
            self._forget(link)
        elif self._watched.get(link) != link.events:
            self._watch(link)
        for call in unopened:
            self.open(call)

    def _bury(self, link: Link, why: str) -> None:
        """Ends the calls of a connection that was lost."""
        if link not in self._links:
            return
        self._forget(link)
        now_ns = monotonic_ns()
        for call in link.connection.calls():
            self._end(call, lost_answer(why, link.connection.delivered(call)), now_ns)
        if link.welcomed:
            self.why = why
        else:
            self._pause(why)
        self._go_on()

    def _go_on(self) -> None:
        """Calls that wait for a connection have one less to wait for."""
        waiting, self._queue = self._queue, deque()
        for call in waiting:
            self.open(call)

    def _forget(self, link: Link) -> None:
        if link in self._links:
            self._links.remove(link)
        if self._watched.pop(link, None) is not None:
            self._selector.unregister(link.number)

    def _pause(self, why: str) -> None:
        """After an attempt to connect that failed; of several at a time the first counts."""
        self.why = why
        now_ns = monotonic_ns()
        if now_ns < self._next_attempt_ns:
            return
        self._attempt += 1
        self._next_attempt_ns = now_ns + self._pause_ns
        self._pause_ns = min(2 * self._pause_ns, LONGEST_PAUSE_NS)

    def _end(self, call: Call, answer: Answer, ended_ns: int | None = None) -> None:
        self._carriers.pop(call, None)
        self._end_call(call, monotonic_ns() if ended_ns is None else ended_ns, answer)


def resolve(endpoint: str) -> list[Address]:
    """The addresses behind host:port; OSError when there are none."""
    host, _, port = endpoint.rpartition(":")
    found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    return [(family, name) for family, _, _, _, name in found]
