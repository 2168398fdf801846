"""Virtual users bound what is in flight and grow when all are busy."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vivace.send.vus import VirtualUsers


def test_they_grow_one_by_one_up_to_the_most() -> None:
    vus = VirtualUsers(2, 3)
    assert [vus.take() for _ in range(4)] == [True, True, True, False]
    assert (vus.busy, vus.count, vus.free()) == (3, 3, False)
    vus.give_back()
    assert (vus.busy, vus.count, vus.free()) == (2, 3, True)


@given(st.integers(1, 5), st.integers(0, 5), st.lists(st.booleans(), max_size=50))
def test_never_more_than_the_most_and_none_is_taken_away(fewest: int, more: int, takes: list[bool]) -> None:
    vus = VirtualUsers(fewest, fewest + more)
    before = vus.count
    for take in takes:
        if take:
            room = vus.busy < fewest + more
            assert vus.take() is room
        elif vus.busy:
            vus.give_back()
        assert before <= vus.count <= fewest + more
        assert 0 <= vus.busy <= vus.count
        before = vus.count
