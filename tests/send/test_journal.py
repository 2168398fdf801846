"""The journal holds what the ledger does not, whenever one looks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vivace.send.answer import Outcome
from vivace.send.disorder import Kind
from vivace.send.journal import Entry, Journal
from vivace.send.request import Content

CONTENT = Content(7, 3, 100, 5000)


def words(records: int) -> memoryview:
    return memoryview(bytearray(8 * records * Journal.WIDTH)).cast("q")


def test_an_entry_is_open_until_it_ends_and_there_until_it_is_saved() -> None:
    shared = words(2)
    journal, seen = Journal(shared), Journal(shared)
    place = journal.begin(0, 10, (20, 5), CONTENT, Kind.LATE)
    assert list(seen.entries()) == [Entry(0, 10, 20, 5, 0, None, 0, 1, Kind.LATE, CONTENT)]
    journal.saved()
    assert len(list(seen.entries())) == 1
    journal.again(place)
    journal.end(place, 30, Outcome.ACKNOWLEDGED, 2)
    assert list(seen.entries()) == [Entry(0, 10, 20, 5, 30, Outcome.ACKNOWLEDGED, 2, 2, Kind.LATE, CONTENT)]
    journal.saved()
    assert list(seen.entries()) == []


def test_what_is_in_flight_says_nothing_of_who_had_its_place() -> None:
    shared = words(1)
    journal, seen = Journal(shared), Journal(shared)
    journal.end(journal.begin(0, 10, (20, 5), CONTENT, None), 30, Outcome.ACKNOWLEDGED, 2)
    journal.saved()
    journal.begin(1, 40, (50, 35), CONTENT, None)
    assert list(seen.entries()) == [Entry(1, 40, 50, 35, 0, None, 0, 1, None, CONTENT)]


def test_it_is_full_when_no_record_is_free() -> None:
    journal = Journal(words(1))
    assert not journal.full
    place = journal.begin(1, 1, (1, 1), CONTENT, None)
    assert journal.full
    journal.end(place, 2, Outcome.FAILED, 0)
    assert journal.full
    journal.saved()
    assert not journal.full


@given(st.lists(st.sampled_from(["begin", *Outcome, "saved"]), max_size=60))
def test_whatever_happens_the_entries_are_those_not_saved(steps: list[str]) -> None:
    shared = words(8)
    journal, seen = Journal(shared), Journal(shared)
    open_places: list[tuple[int, int]] = []
    expected: dict[int, Outcome | None] = {}
    for number, step in enumerate(steps):
        if step == "begin":
            if not journal.full:
                open_places.append((journal.begin(number, 1, (2, 3), CONTENT, None), number))
                expected[number] = None
        elif step == "saved":
            journal.saved()
            expected = {key: outcome for key, outcome in expected.items() if outcome is None}
        elif open_places:
            place, begun = open_places.pop(0)
            journal.end(place, 4, Outcome(step), 0)
            expected[begun] = Outcome(step)
        assert {entry.number: entry.outcome for entry in seen.entries()} == expected
