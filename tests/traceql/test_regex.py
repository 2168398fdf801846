"""Which regular expressions are RE2's."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivace.errors import QueryError
from vivace.traceql.regex import anchored, check_regex


@pytest.mark.parametrize("pattern", ["", "a|b", "(?i)get.*", r"\pL+\d{2,5}", "[[:alpha:]]", r"\\C", "(?P<name>x)"])
def test_re2_takes(pattern: str) -> None:
    check_regex(pattern)


@pytest.mark.parametrize(
    "pattern", ["[", "(", "a)(b", r"(a)\1", "(?=a)", "(?<!a)b", "a{1001}", "a**", r"\C", r"\Qa", r"a\\\C", "(?x) a"]
)
def test_re2_does_not_take(pattern: str) -> None:
    with pytest.raises(QueryError, match="invalid regex"):
        check_regex(pattern)


def test_an_anchored_expression_matches_whole_texts_with_newlines() -> None:
    texts = pa.array(["ab", "a\nb", "xab", "abx"])
    assert pc.match_substring_regex(texts, anchored("a.?b")).to_pylist() == [True, True, False, False]
    assert pc.match_substring_regex(pa.array(["a", "b", "ab"]), anchored("a|b")).to_pylist() == [True, True, False]


@settings(deadline=None, max_examples=200)
@given(st.text(st.sampled_from(r"ab()[]{}|*+?\.^$1,-:<=!PQEC"), max_size=12))
def test_any_pattern_is_taken_or_refused(pattern: str) -> None:
    try:
        check_regex(pattern)
    except QueryError:
        return
    pc.match_substring_regex(pa.array(["a"]), anchored(pattern))
