"""Gathered traces: the same as if the units had been merged."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.backend.query.samples import request, span, unit
from tests.backend.store.rebuild import stored_spans
from tests.backend.store.strategies import REQUESTS

from vivace.backend.query.gathered import Share, gathered
from vivace.backend.query.memory import Memory
from vivace.backend.query.trace_index import Identities, TraceIndex, distinct
from vivace.backend.query.view import View
from vivace.backend.store.decode import decode
from vivace.backend.store.merge import merge
from vivace.backend.store.tables import FIXED, Tables
from vivace.backend.store.unit import Unit

MEMORY = Memory(1 << 24)


def identities(view: View) -> Identities:
    return Identities(view.words("traces", "trace_hi"), view.words("traces", "trace_lo"))


def together(*units: Unit) -> View:
    """All traces of some units."""
    views = [View(one, MEMORY) for one in units]
    every = distinct([identities(view) for view in views])
    index = TraceIndex()
    index.add([(place, identities(view)) for place, view in enumerate(views)])
    found = index.find(every)
    parts = [found.where(found.place == place) for place in range(len(views))]
    shares = [Share(view, part.row, part.wanted) for view, part in zip(views, parts, strict=True)]
    return gathered(every, shares, MEMORY)


def tables(view: View) -> Tables:
    return Tables(**{name: view.unit.slice(name, 0, view.rows(name)) for name in FIXED})


@given(st.lists(st.lists(REQUESTS, min_size=1, max_size=2), min_size=2, max_size=4), st.sampled_from([1, 3, 512]))
@settings(max_examples=30, deadline=None)
def test_gathered_tables_hold_what_merged_ones_do(parts: list[list[bytes]], bound: int) -> None:
    decoded = [decode(requests, bound) for requests in parts]
    merged = merge(decoded, bound)
    if not merged.spans.num_rows:
        return
    found = tables(together(*(Unit.in_memory(one) for one in decoded)))
    assert stored_spans(found) == stored_spans(merged)
    for name in ("trace_hi", "trace_lo", "first", "count"):
        assert found.traces.column(name).equals(merged.traces.column(name))
    for name in ("trace", "start"):
        assert found.spans.column(name).equals(merged.spans.column(name))


def test_a_span_that_two_units_have_is_there_as_often_as_when_they_are_merged() -> None:
    same, other = span(1, 5, at_s=1, attributes={"a": 1}), span(1, 5, at_s=1, attributes={"a": 2})
    units = [unit(request(same)), unit(request(same, span(2, 1))), unit(request(other, span(1, 6)))]
    found = tables(together(*units))
    merged = merge([tables(View(one, MEMORY)) for one in units])
    assert stored_spans(found) == stored_spans(merged)


@given(st.lists(st.lists(st.integers(0, 30), unique=True, max_size=20), min_size=1, max_size=12), st.data())
@settings(max_examples=60, deadline=None)
def test_the_index_finds_every_place_of_a_trace(places: list[list[int]], data: st.DataObject) -> None:
    index, known = TraceIndex(), dict[int, list[int]]()
    for place, traces in enumerate(places):
        known[place] = sorted(traces)
        numbers = np.array(known[place], np.uint64)
        again = index.add([(place, Identities(numbers % np.uint64(3), numbers))])
        shared = {trace for trace in traces if sum(trace in held for held in known.values()) > 1}
        assert shared <= set(again.low.tolist())
        if data.draw(st.booleans()):
            gone = data.draw(st.sampled_from(sorted(known)))
            index.remove([gone])
            del known[gone]
    wanted = np.arange(31, dtype=np.uint64)
    found = index.find(Identities(wanted % np.uint64(3), wanted))
    expected = {(trace, place, row) for place, traces in known.items() for row, trace in enumerate(traces)}
    assert set(zip(found.wanted.tolist(), found.place.tolist(), found.row.tolist(), strict=True)) == expected
    assert len(found) == len(expected)
    assert (np.diff(found.wanted) >= 0).all()
