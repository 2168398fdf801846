"""Texts that are still being typed: what of them is complete."""

from __future__ import annotations

import pytest

from vivace.traceql.incomplete import complete_conditions
from vivace.traceql.limits import MAX_BYTES
from vivace.traceql.parser import parse
from vivace.traceql.text import text


@pytest.mark.parametrize(
    ("typed", "complete"),
    [
        ('{ span.g = "g1" && span.h = }', '{ span.g = "g1" }'),
        ('{ span.g = "g1" && span.h =', '{ span.g = "g1" }'),
        ('{ span.g = "g1" && span.', '{ span.g = "g1" }'),
        ('{ span.g = "g1" && span.h', '{ span.g = "g1" }'),
        ('{ span.g = "g1" && ', '{ span.g = "g1" }'),
        ('{ span.g = "g1"', '{ span.g = "g1" }'),
        ('{ span.h = && span.g = "g1" }', '{ span.g = "g1" }'),
        ('{ span.g = "g1" && span.h = "un', '{ span.g = "g1" }'),
        ('{ span.g = "g1" && span.h = "a && .b = 1 && .c = 2', '{ span.g = "g1" }'),
        ('{ span.g = "g1" && span.h = `a && .b = 1', '{ span.g = "g1" }'),
        ("{ span.g = `g1` && span.h =~ `[` }", '{ span.g = "g1" }'),
        ("{ 2 = .b ", "{ 2 = .b }"),
        ('{ .a = "<>:{b5}[]||" && .h = }', '{ .a = "<>:{b5}[]||" }'),
        ('{ span."a && b" = 1 && .h = }', '{ span."a && b" = 1 }'),
        ("{ duration > 5s && .ok = true && kind = server && name != nil && .h = }", None),
        ("{ .a + 1 > 2 && (.a + 1) * 2 > 2 && .h = }", None),
        ("{ (.a = 1 && .b = ) && .c = 3 }", "{ .a = 1 && .c = 3 }"),
        ("{ (.a =  && .b = ) && .c = 3 }", "{ .c = 3 }"),
        ("{ (.a = 1 && (.b = 2 && .c =", "{ .a = 1 && .b = 2 }"),
        ("{ ((.a = 1)) && .b = }", "{ .a = 1 }"),
        ("{ !(.a = 1 && .b = ) && .c = 3 }", "{ .c = 3 }"),
        ("{ .a = 1 // all\n && .b = }", "{ .a = 1 }"),
        ("{ .a = 1 && .b = } | rate() by (.c)", "{ .a = 1 }"),
        ("{ .a = 1 } | by(", "{ .a = 1 }"),
        ("{ .a = 1 && .b = } | select(.x, .y) | { .c = 2 }", "{ .a = 1 }"),
    ],
)
def test_complete_conditions_are_kept(typed: str, complete: str | None) -> None:
    expected = complete or typed.replace("&& .h = }", "}")
    found = complete_conditions(typed)
    assert found is not None
    assert text(found) == text(parse(expected).root)


@pytest.mark.parametrize(
    "typed",
    [
        "garbage",
        "{",
        "{ }}",
        "{ invalid syntax }",
        "{ statusMessage = }",
        "{ .a }}",
        "{ .a = 1 } garbage",
        "{ .a = 1 } }",
        '{ (.a = "x" || .b = "y") && .c = }',
        "{ .a = 1 || .b = }",
        "{ .a = 1 && .b = } >> { .c = 1 }",
        "{ .a = 1 } >> { .b = }",
        "{ .a = 1 } && { .b = 2 } || { .c = }",
        ".a = 1 && .b = }",
        "{ .a = 1 .b = 2 && .c = }",
        "{ .a = 1) && (.b = }",
        "{ .a = '\ud800 }",
        "{ .a = 1 && .b = " + " " * MAX_BYTES,
    ],
)
def test_nothing_is_kept_of_what_has_no_complete_condition_or_several_ways_to_hold(typed: str) -> None:
    assert complete_conditions(typed) is None


def test_brackets_without_end_are_left_out() -> None:
    assert complete_conditions("{ " + "(" * (MAX_BYTES - 10)) is None
    found = complete_conditions("{ .a = 1 && " + "(" * 50_000 + ".b = 2 && .c = ")
    assert found is not None
    assert text(found) == "{ .a = 1 }"


def test_many_conditions_are_kept() -> None:
    typed = "{ " + " && ".join(f".a = {number}" for number in range(5000)) + " && .b = "
    found = complete_conditions(typed)
    assert found is not None
    assert text(found).count(".a = ") == 5000
