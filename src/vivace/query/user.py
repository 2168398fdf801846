"""What one user does with a question: its steps, one after the other."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

from vivace.query.answer import Answer
from vivace.query.book import Asked, Book
from vivace.query.bucket import Window
from vivace.query.client import Client
from vivace.query.kind import Kind
from vivace.query.known import SETTLED_S, KnownTraces, never_sent
from vivace.query.plan import Action, NamedQuery, Question, Turn
from vivace.send.clock import Clock


class Pause(Protocol):
    """Waits until a moment in Unix nanoseconds; False when the load has been stopped."""

    async def __call__(self, until_ns: int) -> bool: ...


@dataclass(frozen=True, slots=True)
class Users:
    """What all users share."""

    client: Client
    book: Book
    clock: Clock
    pause: Pause
    known: KnownTraces | None

    async def follow(self, question: Question, number: int, due_ns: int) -> None:
        """What one of them does with a question that is due then."""
        await User(self, question, number).follow(due_ns)


class User:
    """Does one thing after the other; what was found before decides what can be opened. For one question."""

    def __init__(self, users: Users, question: Question, number: int) -> None:
        self._users = users
        self._question = question
        self._number = number
        self._query: NamedQuery | None = None
        self._window: Window | None = None
        self._found: str | None = None

    async def follow(self, due_ns: int) -> None:
        """From the first step, which is due then, to the last; a further one is due when the answer before is read."""
        pause = self._users.pause
        for place, turn in enumerate(self._question.turns):
            if turn.action is Action.OPEN and self._found is None:
                continue
            if turn.think_s:
                due_ns += round(turn.think_s * 1e9)
            if place and not await pause(due_ns):
                return
            answer = await self._take(place, turn, due_ns)
            due_ns = self._users.clock.now_ns()
            if answer.retry_after_s is not None:
                await pause(due_ns + round(answer.retry_after_s * 1e9))
                return

    async def _take(self, place: int, turn: Turn, due_ns: int) -> Answer:
        if turn.action is Action.ASK:
            self._query, self._found = turn.query, None
            self._window = self._question.bucket.window(due_ns / 1e9) if self._question.bucket else None
        query = self._query
        assert query is not None  # noqa: S101 - the first step of every journey asks something
        if turn.action is Action.OPEN:
            return await self._open(place, query, Kind.FETCH, due_ns)
        if query.kind is Kind.TRACE:
            return await self._open(place, query, Kind.TRACE, due_ns)
        answer = await self._end(
            self._asked(place, query.kind, due_ns, self._window), self._users.client.ask(query, self._window)
        )
        if answer.found is not None and query.kind.finds_traces:
            self._found = answer.found.first
        return answer

    async def _open(self, place: int, query: NamedQuery, kind: Kind, due_ns: int) -> Answer:
        trace_id, exists = self._found if kind is Kind.FETCH else query.trace_id, kind is Kind.FETCH
        if trace_id is None and self._users.known is not None:
            trace_id = self._users.known.pick(self._window, self._question.chance)
            exists = trace_id is not None and self._settled(due_ns)
        wanted = trace_id or never_sent(self._number)
        return await self._end(self._asked(place, kind, due_ns, None, wanted), self._users.client.trace(wanted, exists))

    def _asked(self, place: int, kind: Kind, due_ns: int, window: Window | None, trace_id: str | None = None) -> Asked:
        name = self._query.name if self._query else self._question.name
        return Asked(
            number=self._number,
            question=self._question,
            name=name,
            kind=kind,
            step=place,
            window=window,
            due_ns=due_ns,
            started_ns=self._users.clock.now_ns(),
            trace_id=trace_id,
        )

    async def _end(self, asked: Asked, request: Awaitable[Answer]) -> Answer:
        self._users.book.started()
        answer = await request
        self._users.book.ended(asked, answer)
        return answer

    def _settled(self, now_ns: int) -> bool:
        """Whether traces of the window have had their time to appear."""
        return self._window is not None and self._window.end_s + SETTLED_S < now_ns / 1e9
