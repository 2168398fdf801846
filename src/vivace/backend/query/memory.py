"""What queries have computed once about immutable data, kept while it fits: least recently used goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable
from typing import Final, TypeVar, cast

T = TypeVar("T")
Key = tuple[int, Hashable]

_PASSING: Final = 8
"""One part in so many may be results of single queries, so that these never drive out the columns that all need."""
_ENTRY_BYTES: Final = 1 << 10
"""What an entry takes besides its result and its question, of which the tree is about as large as Python writes it."""


class Memory:
    """A bounded store of results, safe to use from several threads; keys are (owner, what)."""

    def __init__(self, capacity: int) -> None:
        self._lock = threading.Lock()
        self._lasting, self._passing = _Shelf(capacity - capacity // _PASSING), _Shelf(capacity // _PASSING)

    @property
    def held(self) -> int:
        """Bytes in use."""
        return self._lasting.held + self._passing.held

    def get(
        self, owner: int, what: Hashable, make: Callable[[], T], size: Callable[[T], int], *, passing: bool = False
    ) -> T:
        """The result for this key; made now when it is not held. Two threads may both make it, which does no harm.

        What answers one query only is `passing`; its question counts as well.
        """
        key, shelf = (owner, what), self._passing if passing else self._lasting
        with self._lock:
            entry = shelf.find(key)
        if entry is not None:
            return cast("T", entry[0])
        made = make()
        taken = size(made) + (_ENTRY_BYTES + len(repr(what)) if passing else 0)
        with self._lock:
            shelf.put(key, made, taken)
        return made

    def forget(self, owner: int) -> None:
        """Drop everything that belongs to an owner."""
        with self._lock:
            for shelf in (self._lasting, self._passing):
                shelf.forget(owner)


class _Shelf:
    """Entries up to a number of bytes."""

    def __init__(self, capacity: int) -> None:
        self.held = 0
        self._capacity = capacity
        self._entries: OrderedDict[Key, tuple[object, int]] = OrderedDict()
        self._owned: defaultdict[int, set[Hashable]] = defaultdict(set)

    def find(self, key: Key) -> tuple[object, int] | None:
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: Key, made: object, size: int) -> None:
        self._drop(key)
        if size > self._capacity:
            return
        self._entries[key] = (made, size)
        self._owned[key[0]].add(key[1])
        self.held += size
        while self.held > self._capacity:
            self._drop(next(iter(self._entries)))

    def forget(self, owner: int) -> None:
        for what in self._owned.pop(owner, ()):
            self.held -= self._entries.pop((owner, what))[1]

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._owned[key[0]].remove(key[1])
            self.held -= entry[1]
