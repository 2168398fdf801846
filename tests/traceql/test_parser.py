"""What texts become which trees, and what is said about texts that are no queries."""

from __future__ import annotations

import pytest

from vivace.errors import QueryError
from vivace.traceql.parser import parse
from vivace.traceql.tree import Attribute, Binary, Operator, Pipeline, Query, Scope, SpansetFilter, Static, StaticType


def test_a_filter_becomes_a_tree() -> None:
    expression = Binary(Operator.EQUAL, Attribute(Scope.SPAN, "http.method"), Static(StaticType.STRING, "GET"))
    assert parse('{ span.http.method = "GET" }') == Query(Pipeline((SpansetFilter(expression),)))


def test_an_error_names_its_place() -> None:
    with pytest.raises(QueryError, match=r"parse error at line 2, col 5: syntax error: unexpected }") as caught:
        parse("{ .a\n  = }")
    assert (caught.value.line, caught.value.column) == (2, 5)
