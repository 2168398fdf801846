"""IDs become words that say their group and slot: equal ones the same, traces before spans, others' traces after."""

from __future__ import annotations

import numpy as np

from vivace.telemetry.capture.marks import Marks
from vivace.telemetry.slots import marked_words


def slots(marked: bytes, group: int) -> list[int]:
    """The slots that an ID says, after a check of its group."""
    words = np.frombuffer(marked, "<u8").astype(np.int64)
    assert (words >> 32).tolist() == [group + 1] * words.size
    return [int(word & 0xFFFF_FFFF) - 1 for word in words]


def test_each_id_has_slots_of_its_own() -> None:
    marks = Marks(5, [b"first trace     ", b"second trace    "], spans=3, foreign=2)
    assert slots(marks.trace(b"second trace    "), 5) == [2, 3]
    assert slots(marks.span(b"first trace     ", b"a       "), 5) == [4]
    assert slots(marks.span(b"second trace    ", b"a       "), 5) == [5]
    assert slots(marks.span(b"first trace     ", b"a       "), 5) == [4]
    assert slots(marks.trace(b"first trace     "), 5) == [0, 1]


def test_traces_that_are_only_referred_to_come_last_and_at_even_slots() -> None:
    marks = Marks(0, [b"own trace       "], spans=3, foreign=2)
    assert slots(marks.trace(b"another         "), 0) == [6, 7]
    assert slots(marks.trace(b"a third         "), 0) == [8, 9]
    assert slots(marks.trace(b"another         "), 0) == [6, 7]
    assert [slots(marks.span(b"another         ", bytes([number] * 8)), 0) for number in (1, 2, 3)] == [[2], [3], [4]]


def test_ids_are_the_words_that_templates_have() -> None:
    assert Marks(7, [b"own trace       "], 0, 0).trace(b"own trace       ") == marked_words(7, [0, 1]).tobytes()
