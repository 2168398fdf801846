"""Units as they are read for queries: what of them cannot be read is told apart from all else that goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic
from typing import Final

import pyarrow as pa

from vivace.backend.query.memory import Memory
from vivace.backend.query.view import View
from vivace.backend.store.tables import AttributeColumn
from vivace.backend.store.unit import Unit

AGAIN_S: Final = 60.0
"""After this time a unit that could not be read is tried again."""


class Unreadable(Exception):
    """A unit is damaged, or missing."""

    def __init__(self, unit: str, reason: str) -> None:
        super().__init__(f"unit {unit} cannot be read: {reason}")
        self.unit = unit


class ReadableUnit(Unit):
    """The same unit; Unreadable comes from whatever cannot be read of it."""

    def __init__(self, unit: Unit) -> None:
        self.info = unit.info
        self._unit = unit

    def column(self, table: str, name: str) -> pa.Array | None:
        """See Unit."""
        with self._reading():
            return self._unit.column(table, name)

    def attribute_columns(self, table: str) -> tuple[AttributeColumn, ...]:
        """See Unit."""
        with self._reading():
            return self._unit.attribute_columns(table)

    def rows(self, table: str) -> int:
        """See Unit."""
        with self._reading():
            return self._unit.rows(table)

    def slice(self, table: str, first: int, count: int) -> pa.RecordBatch:
        """See Unit."""
        with self._reading():
            return self._unit.slice(table, first, count)

    def filled(self, table: str, first: int, count: int) -> pa.RecordBatch:
        """See Unit."""
        with self._reading():
            return self._unit.filled(table, first, count)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise Unreadable(self.info.id, " ".join(str(error).split())) from error


class LeftOut:
    """The units that cannot be read, for now. Safe for use by several threads."""

    def __init__(self, report: Callable[[str], None] = lambda _: None) -> None:
        """Each is reported once."""
        self._report = report
        self._lock = Lock()
        self._until: dict[str, float] = {}

    def add(self, error: Unreadable) -> None:
        """Leave out a unit for a while."""
        with self._lock:
            new = error.unit not in self._until
            self._until[error.unit] = monotonic() + AGAIN_S
        if new:
            self._report(f"{error}; queries are answered without it, and say that they are partial")

    def __contains__(self, unit: str) -> bool:
        until = self._until.get(unit)
        return until is not None and monotonic() < until

    def __len__(self) -> int:
        now = monotonic()
        return sum(now < until for until in list(self._until.values()))


class Views:
    """A view for each unit, however many use it. Safe for use by several threads."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self._lock = Lock()
        self._used: dict[str, tuple[View, int]] = {}

    def take(self, unit: Unit) -> View:
        """The view of a unit, until it is given back."""
        with self._lock:
            view, users = self._used.get(unit.info.id) or (View(ReadableUnit(unit), self.memory), 0)
            self._used[unit.info.id] = view, users + 1
            return view

    def give_back(self, view: View) -> None:
        """When nobody uses it any more, its memory is free."""
        with self._lock:
            _, users = self._used[view.unit.info.id]
            if users > 1:
                self._used[view.unit.info.id] = view, users - 1
                return
            del self._used[view.unit.info.id]
        view.forget()
