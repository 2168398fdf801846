"""Long chains of terms: the same answers as short ones, in time that grows with the number of terms."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import FrameType

import pytest
from tests.backend.query.samples import found, request, span, span_ids, unit

from vivace.backend.query.membership import Membership, bundled, conjuncts, disjuncts
from vivace.backend.store.unit import Unit
from vivace.traceql.limits import MAX_BYTES
from vivace.traceql.parser import parse
from vivace.traceql.tree import Binary, FieldExpression, Operator, Pipeline, SpansetFilter
from vivace.traceql.types import decided

BIG = 2**53


def expression(text: str) -> FieldExpression:
    root = parse(f"{{ {text} }}").root
    assert isinstance(root, Pipeline)
    stage = root.stages[0]
    assert isinstance(stage, SpansetFilter)
    return stage.expression


@pytest.fixture(scope="module")
def stored() -> Unit:
    """Spans 1 to 10, each with a value of another type."""
    values = ["x", "y", 1, 1.5, True, ["x", "z"], [1, 2], BIG + 1, float(BIG), False]
    spans = [span(number, number, attributes={"a": value}) for number, value in enumerate(values, start=1)]
    spans[0].events.add(name="e", time_unix_nano=spans[0].start_time_unix_nano)
    spans[1].events.add(name="f", time_unix_nano=spans[1].start_time_unix_nano)
    spans[2].links.add(trace_id=(7 << 64 | 9).to_bytes(16, "big"), span_id=(5).to_bytes(8, "big"))
    return unit(request(*spans))


CASES = {
    "span.a": ['"x"', '"z"', "1", "1.5", "true", "false", str(BIG), str(BIG + 1), f"{BIG}.0", "2", "2.5", "1.0"],
    ".a": ['"x"', '"none"', "1", "-1", "9.5"],
    "resource.service.name": ['"shop"', '"none"'],
    "name": ['""', '"none"'],
    "event:name": ['"e"', '"g"'],
    "status": ["ok", "unset", "error"],
    "kind": ["unspecified", "server"],
    "duration": ["1s", "1000000000", "1e9", "2s"],
    "trace:id": ['"1"', '"2"', '"02"', '"0x3"', '"none"', '"70000000000000009"'],
    "span:id": ['"0000000000000001"', '"2"', '"none"', '"-1"'],
    "link:traceID": ['"70000000000000009"', '"7"', '"9"'],
    "link:spanID": ['"0000000000000005"', '"5"'],
    "nestedSetParent": ["-1", "1"],
    "rootName": ['""', '"none"'],
}


@pytest.mark.parametrize("field", CASES)
@pytest.mark.parametrize(("joined", "operator"), [("||", "="), ("&&", "!=")])
def test_terms_of_one_field_answer_together_what_they_answer_one_by_one(
    stored: Unit, field: str, joined: str, operator: str
) -> None:
    for many in (CASES[field], CASES[field][1:], CASES[field][:-1]):
        whole = found("{ " + f" {joined} ".join(f"{field} {operator} {one}" for one in many) + " }", stored)
        each = [set(span_ids(found(f"{{ {field} {operator} {one} }}", stored))) for one in many]
        expected = set.union(*each) if joined == "||" else set.intersection(*each)
        assert set(span_ids(whole)) == expected


def test_terms_are_put_together_by_field_and_type() -> None:
    chain = expression('.a = 1 || .b = 1 || 2.5 = .a || .a = "x" || .a != 3 || .b = nil')
    terms = bundled(disjuncts(chain), Operator.EQUAL)
    assert [type(term) for term in terms] == [Membership, Binary, Binary, Binary, Binary]
    assert isinstance(terms[0], Membership)
    assert [literal.value for literal in terms[0].literals] == [1, 2.5]
    both = bundled(conjuncts(expression(".a != 1 && .a != 2 && .a = 3 && .a = 4")), Operator.NOT_EQUAL)
    assert [type(term) for term in both] == [Membership, Binary, Binary]


@pytest.mark.parametrize("terms", [8, 20])
def test_what_is_nil_in_a_chain_hides_only_the_term_after_the_first(terms: int) -> None:
    """However long the chain is: a long one is not judged from the left."""
    one = unit(request(span(1, 1, attributes={"a": 1, "b": 2})))
    for place in range(1, terms):
        chain = [*[".missing"] * place, ".b = 2", *[".missing"] * (terms - place - 1)]
        assert span_ids(found(_chain("||", chain), one)) == ([] if place == 1 else [1])
        assert span_ids(found(_chain("||", [".a = 5", *chain[1:]]), one)) == [1]


def test_what_is_nil_is_not_decided() -> None:
    assert all(decided(expression(text)) for text in (".a = 1", "!(.a > 1)", "true", ".a && .b"))
    assert not any(decided(expression(text)) for text in (".a", "!.a"))


CHAINS: dict[str, Callable[[int], str]] = {
    "{ name = … || … }": lambda n: _chain("||", [f'name = "{i}"' for i in range(n)]),
    "{ span.a != … && … }": lambda n: _chain("&&", [f'span.a != "{i}"' for i in range(n)]),
    "{ duration > … || … }": lambda n: _chain("||", [f"duration > {i}h" for i in range(1, n + 1)]),
    "{ !(.a = …) && … }": lambda n: _chain("&&", [f"!(.a = {i})" for i in range(n)]),
    "{ .a… = nil || … }": lambda n: _chain("||", [f".a{i} = nil" for i in range(n)]),
    "{ .a… || … }": lambda n: _chain("||", [f".a{i}" for i in range(n)]),
    "{ } || …": lambda n: " || ".join(f'{{ name = "{i}" }}' for i in range(n)),
    "{ } && …": lambda n: " && ".join(f'{{ name != "{i}" }}' for i in range(n)),
    "select(…)": lambda n: "{ } | select(" + ",".join(f".a{i}" for i in range(n)) + ")",
}


def _chain(joined: str, terms: Sequence[str]) -> str:
    return "{ " + f" {joined} ".join(terms) + " }"


@pytest.mark.parametrize("chain", CHAINS)
def test_work_grows_with_the_terms_and_not_faster(stored: Unit, chain: str) -> None:
    few, many = (_calls(lambda n=n: found(CHAINS[chain](n), stored)) for n in (100, 800))  # type: ignore[misc]
    assert many < 8 * 1.5 * few


def _calls(act: Callable[[], object]) -> int:
    """How many functions are called: what an act costs, whatever else the machine does."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("chain", CHAINS)
def test_a_chain_as_long_as_a_text_may_be_is_answered(chain: str, stored: Unit) -> None:
    terms = 1000
    while len(CHAINS[chain](2 * terms)) <= MAX_BYTES:
        terms *= 2
    found(CHAINS[chain](terms), stored)
