"""A ring keeps the last values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vivace.send.ring import Ring


def ring(room: int, width: int) -> Ring:
    return Ring(memoryview(bytearray(8 * Ring.size(room, width))).cast("q"), width)


def test_each_value_is_seen_once() -> None:
    values = ring(4, 2)
    values.put(1, 2)
    values.put(3, 4)
    assert values.since(0) == (2, [(1, 2), (3, 4)])
    values.put(5, 6)
    assert values.since(2) == (3, [(5, 6)])
    assert values.since(3) == (3, [])


@given(st.integers(1, 8), st.integers(0, 40), st.integers(0, 40))
def test_who_looks_late_sees_the_last_ones(room: int, count: int, seen: int) -> None:
    values = ring(room, 1)
    for number in range(count):
        values.put(number)
    expected = list(range(count))[max(min(seen, count), count - room) :]
    assert values.since(seen) == (count, [(number,) for number in expected])
