"""What the ledger on disk does not hold yet, in shared memory: a worker that is killed takes nothing with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from vivace.send.answer import Outcome
from vivace.send.disorder import Kind
from vivace.send.request import Content
from vivace.send.shared import Words


class Entry(NamedTuple):
    """A request in the journal; outcome None, ended_ns and rejected 0: in flight."""

    number: int
    due_ns: int
    started_ns: int
    t0_ns: int
    ended_ns: int
    outcome: Outcome | None
    rejected: int
    attempts: int
    kind: Kind | None
    content: Content


class Journal:
    """A record for each request in flight or ended but not yet in the ledger. The worker writes, the parent reads
    when the worker has died; a record's first word is written last, so that a record is whole or not there."""

    WIDTH: Final = 13
    _OUTCOMES: Final = (None, *Outcome)
    _KINDS: Final = (None, *Kind)
    _KIND_NUMBERS: Final = {kind: number for number, kind in enumerate(_KINDS)}

    def __init__(self, words: Words) -> None:
        self._words = words
        self._free = list(range(0, len(words), self.WIDTH))
        self._ended: list[int] = []

    @property
    def full(self) -> bool:
        """Whether `begin` has no room before `saved` is called."""
        return not self._free

    def begin(self, number: int, due_ns: int, times: tuple[int, int], content: Content, kind: Kind | None) -> int:
        """The place of a new record; `times`: when it starts, and what its times count from."""
        place = self._free.pop()
        words = self._words
        words[place + 1] = due_ns
        words[place + 2], words[place + 3] = times
        words[place + 5] = 0
        words[place + 7] = 1
        words[place + 8] = self._KIND_NUMBERS[kind]
        words[place + 9], words[place + 10], words[place + 11], words[place + 12] = content
        words[place] = number + 1
        return place

    def again(self, place: int) -> None:
        """One attempt more."""
        self._words[place + 7] += 1

    def end(self, place: int, ended_ns: int, outcome: Outcome, rejected: int) -> None:
        words = self._words
        words[place + 4] = ended_ns
        words[place + 6] = rejected
        words[place + 5] = self._OUTCOMES.index(outcome)
        self._ended.append(place)

    def saved(self) -> None:
        """Forgets all that have ended: they are in the ledger."""
        for place in self._ended:
            self._words[place] = 0
        self._free += self._ended
        self._ended.clear()

    def entries(self) -> Iterator[Entry]:
        """What a worker left."""
        for place in range(0, len(self._words), self.WIDTH):
            number, due, started, t0, ended, outcome, rejected, attempts, kind, *content = self._words[
                place : place + self.WIDTH
            ]
            if number:
                # The outcome is an ending's last word: without it the others are of an ending half written, or
                # of the request that had this place before.
                if not outcome:
                    ended = rejected = 0
                ending = (self._OUTCOMES[outcome], rejected, attempts)
                yield Entry(number - 1, due, started, t0, ended, *ending, self._KINDS[kind], Content(*content))
