"""What queries have computed once about immutable data, kept while it fits: least recently used goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

T = TypeVar("T")


class Memory:
    """A bounded store of results, safe to use from several threads; keys are (owner, what)."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held = 0
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[int, Hashable], tuple[object, int]] = OrderedDict()

    @property
    def held(self) -> int:
        """Bytes in use."""
        return self._held

    def get(self, owner: int, what: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """The result for this key; made now when it is not held. Two threads may both make it, which does no harm."""
        key = (owner, what)
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
                return cast("T", entry[0])
        made = make()
        with self._lock:
            self._put(key, made, size(made))
        return made

    def forget(self, owner: int) -> None:
        """Drop everything that belongs to an owner."""
        with self._lock:
            for key in [key for key in self._entries if key[0] == owner]:
                self._held -= self._entries.pop(key)[1]

    def _put(self, key: tuple[int, Hashable], made: object, size: int) -> None:
        if key in self._entries:
            self._held -= self._entries.pop(key)[1]
        self._entries[key] = (made, size)
        self._held += size
        while self._held > self._capacity and self._entries:
            _, (_, freed) = self._entries.popitem(last=False)
            self._held -= freed
