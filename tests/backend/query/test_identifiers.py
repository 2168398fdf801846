"""IDs in queries: found in whatever way they are written, shown in one."""

from __future__ import annotations

import pytest
from tests.backend.query.samples import found, request, span, span_ids, unit

from vivace.backend.store.unit import Unit

TRACE = 0x00AB_CDEF_0000_0000_0000_0000_0000_00FF
SPAN, PARENT = 0x00AB_CDEF_0000_0001, 0xFF
FULL, BARE = f"{TRACE:032x}", f"{TRACE:x}"
OTHER = 0xA


@pytest.fixture(scope="module")
def stored() -> Unit:
    """A span whose IDs begin with zeros, and another with none of these, that refers to the first."""
    first = span(TRACE, SPAN, PARENT, attributes={"trace": FULL, "span": "ABCDEF00000001", "no": "0x1"})
    second = span(1, OTHER, attributes={"refs": [BARE.upper(), "x"], "parents": ["ff", "0a"]})
    for one in (first, second):
        one.links.add(trace_id=TRACE.to_bytes(16, "big"), span_id=SPAN.to_bytes(8, "big"))
    return unit(request(first, second))


def ids(query: str, stored: Unit) -> list[int]:
    return span_ids(found(query, stored))


def spellings(number: int, digits: int) -> list[str]:
    return [f"{number:0{digits}x}", f"{number:x}", f"0{number:X}", f"{number:0{digits}X}"]


@pytest.mark.parametrize(
    ("field", "number", "digits", "equal"),
    [
        ("trace:id", TRACE, 32, {SPAN}),
        ("link:traceID", TRACE, 32, {SPAN, OTHER}),
        ("span:id", SPAN, 16, {SPAN}),
        ("span:parentID", PARENT, 16, {SPAN}),
        ("link:spanID", SPAN, 16, {SPAN, OTHER}),
    ],
)
def test_an_id_is_found_with_its_leading_zeros_and_without_in_either_case(
    field: str, number: int, digits: int, equal: set[int], stored: Unit
) -> None:
    for text in spellings(number, digits):
        assert set(ids(f'{{ {field} = "{text}" }}', stored)) == equal
        assert set(ids(f'{{ "{text}" = {field} }}', stored)) == equal
        assert set(ids(f'{{ {field} != "{text}" }}', stored)) == {SPAN, OTHER} - equal
        assert set(ids(f'{{ {field} = "b" || {field} = "{text}" }}', stored)) == equal
        assert set(ids(f'{{ {field} != "b" && {field} != "{text}" }}', stored)) == {SPAN, OTHER} - equal


@pytest.mark.parametrize("text", ["", " ", "0x{}", "{} ", "-{}", "+{}", "{}_", "{}g", f"{0:032}{{}}", "\u0661{}"])
def test_what_is_no_id_equals_none(text: str, stored: Unit) -> None:
    for field, number in (("trace:id", BARE), ("span:id", f"{SPAN:x}")):
        written = text.format(number)
        assert ids(f'{{ {field} = "{written}" }}', stored) == []
        assert ids(f'{{ {field} = "{written}" || {field} = "b" }}', stored) == []
        assert sorted(ids(f'{{ {field} != "{written}" }}', stored)) == sorted([SPAN, OTHER])


def test_expressions_match_the_form_that_answers_show(stored: Unit) -> None:
    assert ids(f'{{ trace:id =~ "{BARE}" }}', stored) == [SPAN]
    assert ids(f'{{ trace:id =~ "{FULL}" }}', stored) == []
    assert ids('{ span:id =~ "00abcdef0.*" }', stored) == [SPAN]
    assert ids('{ span:id =~ "abcdef0.*" }', stored) == []


def test_order_is_that_of_the_text_which_answers_show(stored: Unit) -> None:
    assert set(ids('{ span:id < "8" }', stored)) == {SPAN, OTHER}
    assert ids('{ span:id < "00ab" }', stored) == [OTHER]
    assert ids(f'{{ trace:id > "{BARE[:2]}" }}', stored) == [SPAN]
    assert ids(f'{{ trace:id > "{FULL}" }}', stored) == ids("{}", stored)


def test_ids_in_attributes_equal_those_of_spans_however_they_are_written(stored: Unit) -> None:
    assert ids("{ trace:id = span.trace }", stored) == [SPAN]
    assert ids("{ span.trace = trace:id }", stored) == [SPAN]
    assert ids("{ span.span = span:id }", stored) == [SPAN]
    assert ids("{ span:id != span.span }", stored) == []
    assert ids("{ span.no = trace:id || span.no = span:id }", stored) == []
    assert ids("{ link:traceID = span.refs }", stored) == [OTHER]
    assert ids("{ span.parents = span:id }", stored) == [OTHER]
