"""In which order a worker offers its requests: as they are due, but for those that are held back on purpose."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from vivace.send.contents import Contents
from vivace.send.disorder import Kind


class Turn(NamedTuple):
    """A request's turn; times are Unix nanoseconds."""

    number: int
    due_ns: int
    """When it is to be sent."""
    happened_ns: int
    """When it would have been, had it not been held back: what it tells of ended then."""
    kind: Kind | None


class Turns:
    """Iterates over turns. A request that is held back is due again right after the first that is due late enough."""

    def __init__(self, dues: Iterable[tuple[int, int]], contents: Contents, held_s: float) -> None:
        self._dues = dues
        self._contents = contents
        self._held_ns = round(held_s * 1e9)
        self._held: deque[tuple[int, int]] = deque()
        self._last_ns = 0

    def __iter__(self) -> Iterator[Turn]:
        for number, due_ns in self._dues:
            kind = self._contents.kind(number)
            self._last_ns = due_ns
            if kind is Kind.REORDERED:
                self._held.append((number, due_ns))
                continue
            yield Turn(number, due_ns, due_ns, kind)
            while self._held and self._held[0][1] + self._held_ns <= due_ns:
                yield self._release()
        yield from self.rest()

    def rest(self) -> Iterator[Turn]:
        """Those that are still held back."""
        while self._held:
            yield self._release()

    def _release(self) -> Turn:
        number, happened_ns = self._held.popleft()
        return Turn(number, self._last_ns, happened_ns, Kind.REORDERED)
