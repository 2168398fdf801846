"""What of the store can be read: the views of units, and which units are left out for now because they cannot be."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Final

from vivace.backend.query.known_traces import KnownTraces, read_identities
from vivace.backend.query.memory import Memory
from vivace.backend.query.trace_index import Identities
from vivace.backend.query.view import View
from vivace.backend.store.unit import Unit, UnreadableUnit

DAMAGED_S: Final = 60.0
UNREACHABLE_S: Final = 30.0
"""After this time a unit that could not be read is tried again."""


class LeftOut:
    """The units that cannot be read, for now. Safe for use by several threads."""

    def __init__(self, report: Callable[[str], None] = lambda _: None) -> None:
        """Each is reported once."""
        self._report = report
        self._lock = Lock()
        self._until: dict[str, float] = {}

    def add(self, error: UnreadableUnit) -> str:
        """Leave out a unit for a while; returns its ID."""
        while isinstance(error.__cause__, UnreadableUnit):  # it was read for traces that are gathered from it
            error = error.__cause__
        identity = error.unit.id
        with self._lock:
            new = identity not in self._until
            self._until[identity] = monotonic() + (DAMAGED_S if error.damaged else UNREACHABLE_S)
        if new:
            self._report(f"{error}; queries are answered without it, and say that they are partial")
        return identity

    def __contains__(self, unit: str) -> bool:
        until = self._until.get(unit)
        return until is not None and monotonic() < until

    def __len__(self) -> int:
        now = monotonic()
        return sum(now < until for until in list(self._until.values()))


class Views:
    """A view for each unit, however many use it. Safe for use by several threads."""

    def __init__(self, memory: Memory, known: KnownTraces | None = None) -> None:
        """`known` spares reading units that would have to be fetched."""
        self.memory = memory
        self._known = known
        self._lock = Lock()
        self._used: dict[str, tuple[View, int]] = {}

    def take(self, unit: Unit) -> View:
        """The view of a unit, until it is given back."""
        with self._lock:
            view, users = self._used.get(unit.info.id) or (View(unit, self.memory), 0)
            self._used[unit.info.id] = view, users + 1
            return view

    def identities(self, view: View) -> Identities:
        """The traces of a unit."""
        return read_identities(view) if self._known is None else self._known.identities(view)

    def give_back(self, view: View) -> None:
        """When nobody uses it any more, its memory is free."""
        with self._lock:
            _, users = self._used[view.unit.info.id]
            if users > 1:
                self._used[view.unit.info.id] = view, users - 1
                return
            del self._used[view.unit.info.id]
        view.forget()
