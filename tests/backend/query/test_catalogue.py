"""The catalogue: every trace whole in exactly one view, whatever units come and go."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.backend.query.samples import request, span, unit

from vivace.backend.query.catalogue import Catalogue
from vivace.backend.query.memory import Memory
from vivace.backend.store.unit import Unit


def whole_traces(books: Catalogue) -> dict[int, int]:
    """The number of spans of every trace that is not hidden; fails when a trace shows twice."""
    found: dict[int, int] = {}
    for visible in books.visible():
        highs, lows = (visible.view.words("traces", name) for name in ("trace_hi", "trace_lo"))
        counts = visible.view.index("traces", "count")
        for row in range(len(counts)):
            if visible.hidden is None or not visible.hidden[row]:
                identity = int(highs[row]) << 64 | int(lows[row])
                assert identity not in found
                found[identity] = int(counts[row])
    return found


Step = tuple[int, dict[int, int]]
steps = st.lists(
    st.tuples(st.integers(0, 4), st.dictionaries(st.integers(1, 5), st.integers(1, 2), min_size=1, max_size=4)),
    min_size=1,
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_traces_are_whole_while_units_come_and_go(changes: list[Step]) -> None:
    """Each step replaces the unit of a place by one with so many spans of some traces."""
    places: dict[int, tuple[Unit, dict[int, int]]] = {}
    books = Catalogue(lambda: tuple(one for one, _ in places.values()), Memory(1 << 20))
    number = 0
    for place, traces in changes:
        spans = []
        for trace, count in traces.items():
            for _ in range(count):
                number += 1
                spans.append(span(trace << 64 | trace % 2, number, at_s=number))
        places.pop(place, None)
        places[place] = unit(request(*spans)), traces
        expected: dict[int, int] = {}
        for _, held in places.values():
            for trace, count in held.items():
                expected[trace << 64 | trace % 2] = expected.get(trace << 64 | trace % 2, 0) + count
        assert whole_traces(books) == expected
        for identity, count in expected.items():
            assert sum(piece.count for piece in books.pieces(identity)) == count


def test_a_unit_without_spans_is_no_trouble() -> None:
    empty = unit(request())
    assert whole_traces(Catalogue(lambda: (empty, unit(request(span(1, 1)))), Memory(1 << 20))) == {1: 1}
