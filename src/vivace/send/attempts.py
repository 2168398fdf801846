"""Whether, when and how often a request is sent again: exponential back-off with full jitter, or as the target says."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

from vivace.send.answer import Answer
from vivace.send.request import InFlight


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """How often a request is tried, and the pauses between."""

    most: int = 1
    """With the first."""
    first_pause_s: float = 0.5
    """The longest that the first pause can be; the longest doubles with each."""
    longest_pause_s: float = 10.0
    patience_s: float = 60.0
    """A target that wants to be left alone for longer is not tried again."""

    def problems(self) -> Iterator[str]:
        """What is wrong with it, a line for each thing."""
        if self.most < 1:
            yield f"retry: {self.most} attempts; give at least 1"
        if not (isfinite(self.longest_pause_s) and 0 < self.first_pause_s <= self.longest_pause_s):
            yield f"retry: pauses of {self.first_pause_s} to {self.longest_pause_s} s are no range; give one above zero"
        if not (isfinite(self.patience_s) and self.patience_s >= 0):
            yield f"retry: a patience of {self.patience_s} s is none; give zero or more"

    def longest_s(self, timeout_s: float) -> float:
        """What a request can take at most, from its first start to its end."""
        pauses = (self.most - 1) * (self.patience_s + self.longest_pause_s)
        return self.most * timeout_s + pauses

    def pause_s(self, attempt: int, answer: Answer, drawn: float) -> float | None:
        """How long to wait after this attempt (from 1), None to give up; `drawn` is a random number from 0 to 1."""
        if not answer.retryable or attempt >= self.most:
            return None
        jittered = drawn * min(self.longest_pause_s, self.first_pause_s * 2.0 ** min(attempt - 1, 60))
        if answer.retry_after_s is None:
            return jittered
        return answer.retry_after_s + jittered if answer.retry_after_s <= self.patience_s else None


class Waiting:
    """Requests between two attempts. Times are nanoseconds of any one clock."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, InFlight, int, Answer]] = []

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def next_ns(self) -> int | None:
        """When the first of them is tried again."""
        return self._heap[0][0] if self._heap else None

    def put(self, at_ns: int, request: InFlight, ended_ns: int, answer: Answer) -> None:
        """A request, and how its last attempt ended."""
        heapq.heappush(self._heap, (at_ns, request.number, request, ended_ns, answer))

    def due(self, now_ns: int) -> Iterator[tuple[InFlight, Answer]]:
        """Takes out those whose pause is over, with the last answer."""
        while self._heap and self._heap[0][0] <= now_ns:
            _, _, request, _, answer = heapq.heappop(self._heap)
            yield request, answer

    def give_up(self) -> Iterator[tuple[InFlight, int, Answer]]:
        """Takes out all, with the end of each one's last attempt."""
        while self._heap:
            _, _, request, ended_ns, answer = heapq.heappop(self._heap)
            yield request, ended_ns, answer
