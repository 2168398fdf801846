"""Values of tags: distinct over all units, in order, and bounded."""

from __future__ import annotations

import pytest
from tests.backend.query.samples import catalogue, request, span, unit

from vivace.backend.query import tags
from vivace.backend.query.tags import TagRequest, TagValue, tag_values
from vivace.backend.store.unit import Unit
from vivace.traceql.identifier import parse_identifier


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


def test_a_look_for_values_ends_when_nobody_waits() -> None:
    asked = TagRequest(check=_gone)
    with pytest.raises(InterruptedError):
        tag_values(catalogue(sent("a")).visible(), asked, parse_identifier("span.x"))


def _gone() -> None:
    raise InterruptedError
