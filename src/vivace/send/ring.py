"""The last values of a sequence in shared memory, for a reader that looks now and then."""

from __future__ import annotations

from vivace.send.shared import Words


class Ring:
    """The last values of a sequence, each of `width` words. One process puts, another reads."""

    def __init__(self, words: Words, width: int) -> None:
        self._count = words[:1]
        self._values = words[1:]
        self._width = width
        self._room = len(self._values) // width

    @staticmethod
    def size(room: int, width: int) -> int:
        """Words for `room` values."""
        return 1 + room * width

    def put(self, *value: int) -> None:
        at = self._count[0] % self._room * self._width
        for place, word in enumerate(value, at):
            self._values[place] = word
        self._count[0] += 1

    def since(self, seen: int) -> tuple[int, list[tuple[int, ...]]]:
        """How many have been put, and those after the first `seen` that are still there."""
        count = self._count[0]
        return count, [self._value(number) for number in range(max(seen, count - self._room), count)]

    def _value(self, number: int) -> tuple[int, ...]:
        at = number % self._room * self._width
        return tuple(self._values[at : at + self._width])
