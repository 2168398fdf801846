"""Regular expressions over many strings: linear in the text, and ended when nobody waits."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from tests.backend.query.samples import found, request, span, unit

from vivace.backend.query import compare as module
from vivace.backend.query.compare import compare, matching
from vivace.backend.query.value import Column, Mask, Type
from vivace.errors import QueryError
from vivace.traceql.parser import parse
from vivace.traceql.tree import Operator, Static, StaticType

BACKTRACKING = ("(a+)+b", "(a|a)*b", "(a|aa)+b", "((((a*)*)*)*)*b", "(.*)(.*)(.*)(.*)(.*)b", "(a?){1000}a{1000}b")
"""For which engines that go back take time that doubles with every letter."""


@pytest.mark.parametrize("pattern", BACKTRACKING)
def test_no_pattern_takes_time_that_grows_faster_than_the_text(pattern: str) -> None:
    words = pa.array(["a" * 2000, "a" * 2000 + "b"])
    assert matching(words, pattern).tolist() == [False, True]


@pytest.mark.parametrize("pattern", ["(a{1000}){1000}", "(((x{100}){100}){100}){100}"])
def test_a_pattern_that_would_take_too_much_memory_is_refused(pattern: str) -> None:
    with pytest.raises(QueryError, match="invalid regex"):
        parse(f'{{ name =~ "{pattern}" }}')


def test_matching_ends_between_strings_when_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOMENT_S", 0.0)
    monkeypatch.setattr(module, "_AT_FIRST", 2)
    calls = []

    def check() -> None:
        calls.append(1)
        if len(calls) > 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        matching(pa.array([str(number) for number in range(100)]), ".*", check)


def test_all_strings_are_matched_however_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_FIRST", 1)
    words = pa.array([str(number) for number in range(1000)])
    for moment in (0.0, 1.0):
        monkeypatch.setattr(module, "_MOMENT_S", moment)
        assert np.flatnonzero(matching(words, "99.")).tolist() == list(range(990, 1000))
    assert matching(pa.array([], pa.string()), ".*").tolist() == []


@pytest.mark.parametrize(
    ("operator", "holds"), [(Operator.REGEX, [True, False, False]), (Operator.NOT_REGEX, [False, False, True])]
)
def test_of_few_rows_only_their_strings_are_matched(
    operator: Operator, holds: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    matched = module._matching

    def watched(words: pa.StringArray, pattern: str) -> Mask:
        seen.append(len(words))
        return matched(words, pattern)

    monkeypatch.setattr(module, "_matching", watched)
    words = pa.array([f"w{number}" for number in range(1000)])
    column = Column(Type.STRING, np.array([7, -1, 9]), None, words)
    assert compare(operator, (column,), Static(StaticType.STRING, "w7"), 3).tolist() == holds
    assert seen == [2]


def test_a_search_matches_whole_texts() -> None:
    one = unit(request(*(span(n, n, name=name) for n, name in enumerate(("ab", "abc", "a\nb"), 1))))
    assert [trace["traceID"] for trace in found('{ name =~ "a.?b" }', one)] == ["1", "3"]
