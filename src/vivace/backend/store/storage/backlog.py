"""Blocks that an object store has not got yet, as when a data folder was used without one before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Thread
from time import sleep
from typing import Final

from vivace.backend.store.storage.figures import StorageFigures
from vivace.backend.store.unit import UnitInfo
from vivace.errors import TargetError

RETRY_SECONDS: Final = 10.0


class Backlog:
    """Puts blocks one after the other in a thread of its own, so that a start need not wait; a later start goes on."""

    def __init__(
        self,
        put: Callable[[UnitInfo], None],
        remove: Callable[[UnitInfo], None],
        is_wanted: Callable[[UnitInfo], bool],
        figures: StorageFigures,
    ) -> None:
        """What is not wanted any more by the time it is put is removed."""
        self._put = put
        self._remove = remove
        self._is_wanted = is_wanted
        self._figures = figures

    def begin(self, units: Sequence[UnitInfo]) -> None:
        """Puts the blocks, which the data folder has, in this order."""
        self._figures.backlog(len(units))
        if units:
            Thread(target=self._run, args=(list(units),), name="backlog", daemon=True).start()

    def _run(self, units: list[UnitInfo]) -> None:
        try:
            while units:
                if self._is_done(units[0]):
                    self._figures.backlog(len(units) - 1)
                    units.pop(0)
                else:
                    sleep(RETRY_SECONDS)
        except TargetError:  # it is not ours any more; the backlog stays, as its figure says
            return

    def _is_done(self, unit: UnitInfo) -> bool:
        try:
            if self._is_wanted(unit):
                self._put(unit)
                if not self._is_wanted(unit):
                    self._remove(unit)
        except OSError:
            return False
        return True
