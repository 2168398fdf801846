"""With what goes wrong, which is said once: what is refused is left alone for longer each time, or everything waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from vivace.backend.store.apart import Apart
from vivace.units import format_duration

REFUSALS: Final = 2
"""When so many are refused and nothing goes well, it is not the fault of one."""


class Patience:
    """Of whoever tries things one after the other. Times are those of a clock that only goes forward."""

    def __init__(self, report: Callable[[str], None], again: str) -> None:
        """`again` says that things go well again."""
        self.apart = Apart()
        self._report = report
        self._again = again
        self._refused: set[str] = set()
        self._failing = False

    def leave(self, identity: str, line: str, now: float) -> bool:
        """Leaves what was refused alone, and says so; False when others were refused too: then everything is to wait.

        The line ends with words that a time can follow.
        """
        pause = self.apart.leave_longer(identity, now)
        self._refused.add(identity)
        if len(self._refused) >= REFUSALS:
            return False
        self._report(f"{line} in {format_duration(pause)}")
        return True

    def rest(self, line: str) -> None:
        """Everything waits; that is said once."""
        if not self._failing:
            self._report(line)
        self._failing = True

    def went_well(self) -> None:
        """Something did."""
        if self._failing:
            self._report(self._again)
        self._failing = False
        self._refused.clear()
