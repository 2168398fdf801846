"""Values of tags: distinct over all units, in order, and bounded."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from tests.backend.query.samples import NOW, SECOND, catalogue, found, request, span, unit

from vivace.backend.query import tags
from vivace.backend.query.catalogue import Catalogue, Visible
from vivace.backend.query.memory import Memory
from vivace.backend.query.parameters import Window
from vivace.backend.query.tags import TagRequest, TagValue, tag_names, tag_values
from vivace.backend.query.view import View
from vivace.backend.store.unit import Unit
from vivace.traceql.identifier import parse_identifier
from vivace.traceql.parser import parse
from vivace.traceql.tree import Pipeline, Scope


def values(tag: str, *units: Unit) -> list[TagValue]:
    return tag_values(catalogue(*units).visible(), TagRequest(), parse_identifier(tag))


def sent(*given: object) -> Unit:
    return unit(request(*(span(n, n, attributes={"x": value}) for n, value in enumerate(given, 1))))


def test_values_of_every_type_are_told_apart_and_each_given_once() -> None:
    found = values("span.x", sent("b", 2, 1.5, True, ["c", "b"]), sent("a", "b", 2, 10, False, -0.25))
    assert found == [
        TagValue("float", "-0.25"),
        TagValue("float", "1.5"),
        TagValue("int", "10"),
        TagValue("int", "2"),
        TagValue("string", "a"),
        TagValue("string", "b"),
        TagValue("string", "c"),
        TagValue("bool", "false"),
        TagValue("bool", "true"),
    ]


def test_of_very_many_values_the_first_are_given_however_they_are_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags, "MOST_VALUES", 3)
    texts = [TagValue("string", text) for text in "abc"]
    assert values("span.x", sent("d", "b", "e"), sent("c", "f", "a")) == texts
    assert values("span.x", sent("c", "f", "a"), sent("d", "b", "e")) == texts
    assert values("span.x", *(sent(*range(start, 100, 7)) for start in range(7))) == [
        TagValue("int", text) for text in "012"
    ]


def test_values_of_one_type_leave_no_less_room_for_those_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags, "MOST_VALUES", 2)
    found = values("span.x", sent("c", "b", "a", 3, 1, 2, 0.5), sent("d", 0, 1.5, 2.5))
    assert [one.text for one in found] == ["0", "0.5", "1", "1.5", "a", "b"]


def test_numbers_that_are_not_finite_are_written_as_go_does() -> None:
    found = values("span.x", sent(math.inf, -math.inf, math.nan), sent(-math.nan, 1e6))
    assert [one.text for one in found] == ["+Inf", "-Inf", "1000000.0", "NaN"]


def test_a_key_that_nobody_can_ask_for_is_not_offered() -> None:
    with_empty = unit(request(span(1, 1, attributes={"": 1, "x": 2}), **{"": "y"}))
    for window in WINDOWS:
        found = tag_names(catalogue(with_empty).visible(), TagRequest(window), [Scope.SPAN, Scope.RESOURCE])
        assert found == {Scope.SPAN: ["x"], Scope.RESOURCE: ["service.name"]}


CHILD = request(span(1, 2, 1, name="child", attributes={"of": "child"}), service="late")
ROOT = request(span(1, 1, name="root", attributes={"of": "root"}), service="early")
OTHER = request(span(2, 3, name="alone", attributes={"of": "alone"}), service="early")
DEALT = [[unit(CHILD, ROOT, OTHER)], [unit(CHILD, OTHER), unit(ROOT)], [unit(CHILD), unit(ROOT), unit(OTHER)]]
"""A trace of two spans and one of one, in one unit and spread over several."""
WINDOWS = (Window(), Window(NOW - SECOND, NOW + SECOND // 2))


def pipeline(text: str) -> Pipeline:
    root = parse(text).root
    assert isinstance(root, Pipeline)
    return root


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("units", DEALT)
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ('{ rootName != "root" }', ["alone"]),
        ('{ rootName = "root" }', ["child", "root"]),
        ('{ rootName = "" }', []),
        ("{ } | count() = 1", ["alone"]),
        ("{ } | count() = 2", ["child", "root"]),
        ('{ name = "root" } > { }', ["child"]),
        ("{ nestedSetParent > 0 }", ["child"]),
        ("{ trace:duration > 0 } | by(rootServiceName) | count() = 2", ["child", "root"]),
    ],
)
def test_a_query_filters_tags_as_a_search_does_however_traces_are_spread(
    query: str, names: list[str], units: list[Unit], window: Window
) -> None:
    asked = TagRequest(window, pipeline(query))
    views = catalogue(*units).visible()
    assert [one.text for one in tag_values(views, asked, parse_identifier("name"))] == names
    assert [one.text for one in tag_values(views, asked, parse_identifier("span.of"))] == names
    assert tag_names(views, asked, [Scope.SPAN])[Scope.SPAN] == (["of"] if names else [])
    assert bool(found(query, *units)) == bool(names)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("units", DEALT)
def test_what_is_known_of_whole_traces_is_the_same_however_they_are_spread(units: list[Unit], window: Window) -> None:
    views = catalogue(*units).visible()
    for tag, texts in {
        "rootName": ["alone", "root"],
        "trace:rootService": ["early"],
        "span.of": ["alone", "child", "root"],
    }.items():
        assert [one.text for one in tag_values(views, TagRequest(window), parse_identifier(tag))] == texts


def test_values_kept_are_those_of_traces_as_they_are_now() -> None:
    units = [unit(CHILD, OTHER)]
    known = Catalogue(lambda: units, Memory(1 << 24))

    def roots() -> list[str]:
        return [one.text for one in tag_values(known.visible(), TagRequest(), parse_identifier("rootName"))]

    assert roots() == ["", "alone"]
    units = [*units, unit(ROOT)]
    assert roots() == ["alone", "root"]


def test_what_is_kept_stays_in_its_bound_however_many_traces_are_hidden() -> None:
    traces, asked = 10_000, 200
    memory = Memory(1 << 24)
    view = View(unit(request(*(span(n, n) for n in range(1, traces + 1)))), memory)
    asking = TagRequest(pipeline=pipeline("{ }"))

    def look(hides: int) -> None:
        hidden = np.zeros(traces, np.bool_)
        hidden[hides] = True
        tag_values([Visible(view, hidden)], asking, parse_identifier("span.x"))

    look(0)
    held = memory.held
    tracemalloc.start()
    try:
        for hides in range(1, asked):
            look(hides)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert 0 < taken < 2 * (memory.held - held)


def test_an_answer_with_nothing_in_it_counts_with_its_question() -> None:
    memory = Memory(1 << 24)
    view = View(sent("a"), memory)

    def counted(query: str) -> int:
        before = memory.held
        tag_values([Visible(view)], TagRequest(pipeline=pipeline(query)), parse_identifier("span.none"))
        return memory.held - before

    counted('{ span.x = "a" }')
    short, long = '{ span.x = "b" }', "{ " + " || ".join(f'span.x = "c{n}"' for n in range(100)) + " }"
    assert counted(short) >= len(short)
    assert counted(long) >= len(long) + counted('{ span.x = "d" }')


def test_a_look_for_values_ends_when_nobody_waits() -> None:
    asked = TagRequest(check=_gone)
    with pytest.raises(InterruptedError):
        tag_values(catalogue(sent("a")).visible(), asked, parse_identifier("span.x"))


def _gone() -> None:
    raise InterruptedError
