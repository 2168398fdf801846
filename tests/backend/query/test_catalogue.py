"""The catalogue: every trace whole in exactly one view, whatever units come and go."""

from __future__ import annotations

from threading import Event, Thread
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.backend.query.samples import NOW, SECOND, catalogue, request, span, unit

from vivace.backend.query.catalogue import CROWD, Catalogue
from vivace.backend.query.memory import Memory
from vivace.backend.query.search import SearchRequest, search
from vivace.backend.store.decode import decode
from vivace.backend.store.tables import Tables
from vivace.backend.store.unit import TablesSource, Unit
from vivace.traceql.parser import parse
from vivace.traceql.tree import Pipeline


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


class Watched(TablesSource):
    """Remembers what is read of it."""

    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self.read: set[tuple[str, str]] = set()

    def column(self, table: str, name: str) -> pa.Array:
        self.read.add((table, name))
        return super().column(table, name)

    def slice(self, table: str, first: int, count: int) -> pa.RecordBatch:
        self.read.add((table, "every"))
        return super().slice(table, first, count)


def watched(*requests: ExportTraceServiceRequest) -> tuple[Unit, Watched]:
    tables = decode([one.SerializeToString() for one in requests])
    source = Watched(tables)
    return Unit(Unit.in_memory(tables).info, source), source


def between(start_s: int, end_s: int, *units: Unit) -> list[Any]:
    asked = SearchRequest(pipeline("{ }"), start_ns=NOW + start_s * SECOND, end_ns=NOW + end_s * SECOND)
    return list(search(catalogue(*units).visible(), asked))


def test_of_units_outside_the_window_only_ids_of_traces_are_read() -> None:
    parts = [watched(request(span(number, 1, at_s=at))) for number, at in ((1, 0), (1, 500), (2, 1150))]
    assert [trace["traceID"] for trace in between(1100, 1200, *(unit for unit, _ in parts))] == ["2"]
    assert parts[0][1].read == parts[1][1].read == {("traces", "trace_hi"), ("traces", "trace_lo")}
    assert ("spans", "start") in parts[2][1].read


def test_a_trace_of_units_on_both_sides_of_the_window_is_whole() -> None:
    before, after = unit(request(span(1, 1, at_s=0))), unit(request(span(1, 2, 1, at_s=1000), span(5, 1, at_s=1000)))
    inside = unit(request(span(3, 1, at_s=500)))
    found = between(400, 600, before, inside, after)
    assert [trace["traceID"] for trace in found] == ["3", "1"]
    assert found[1]["spanSets"][0]["matched"] == 2


def pipeline(text: str) -> Pipeline:
    root = parse(text).root
    assert isinstance(root, Pipeline)
    return root


def test_traces_of_many_units_are_gathered_in_few_views() -> None:
    units: list[Unit] = []
    books = Catalogue(lambda: tuple(units), Memory(1 << 20))
    for number in range(40):
        units.append(unit(request(span(number, 1, at_s=number), span(number + 1, 2, at_s=number))))
        assert whole_traces(books) == {trace: 1 + (0 < trace <= number) for trace in range(number + 2)}
        assert len(books.visible()) - len(units) <= CROWD
    del units[:30]
    assert whole_traces(books) == {trace: 1 + (30 < trace < 40) for trace in range(30, 41)}


def test_what_is_closed_gives_its_memory_back_and_can_be_used_again() -> None:
    memory = Memory(1 << 20)
    one, other = unit(request(span(1, 1))), unit(request(span(1, 2)))
    books = Catalogue(lambda: (one, other), memory)
    assert len(search(books.visible(), SearchRequest(pipeline("{ duration > 0s }")))) == 1
    assert memory.held
    books.close()
    assert memory.held == 0
    assert whole_traces(books) == {1: 2}


class Slow(TablesSource):
    """Cannot be read before it was fetched."""

    asked, fetched = Event(), Event()

    def column(self, table: str, name: str) -> pa.Array:
        self.asked.set()
        assert self.fetched.wait(20)
        return super().column(table, name)


def test_units_that_have_to_be_fetched_hold_up_no_query(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vivace.backend.query.catalogue.PATIENCE_S", 0.01)
    units = [unit(request(span(1, 1)))]
    books = Catalogue(lambda: tuple(units), Memory(1 << 20))
    assert whole_traces(books) == {1: 1}
    tables = decode([request(span(1, 2), span(2, 1)).SerializeToString()])
    units.append(Unit(Unit.in_memory(tables).info, Slow(tables)))
    fetching = Thread(target=books.visible)
    fetching.start()
    assert Slow.asked.wait(20)
    assert whole_traces(books) == {1: 1}
    assert len(books.pieces(1)) == 1
    assert not books.complete
    Slow.fetched.set()
    fetching.join()
    assert whole_traces(books) == {1: 2, 2: 1}
    assert books.complete
