"""Names of single fields, as addresses give them."""

from __future__ import annotations

import pytest

from vivace.errors import QueryError
from vivace.traceql.identifier import parse_identifier
from vivace.traceql.tree import Attribute, Intrinsic, IntrinsicField, Scope


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("resource.service.name", Attribute(Scope.RESOURCE, "service.name")),
        (".http.method", Attribute(Scope.NONE, "http.method")),
        ('span."a b"', Attribute(Scope.SPAN, "a b")),
        ("instrumentation.x", Attribute(Scope.INSTRUMENTATION, "x")),
        ("span:name", IntrinsicField(Intrinsic.SPAN_NAME, "span:name")),
        ("name", IntrinsicField(Intrinsic.SPAN_NAME, "name")),
        ("rootServiceName", IntrinsicField(Intrinsic.TRACE_ROOT_SERVICE, "rootServiceName")),
    ],
)
def test_a_name_of_a_field(name: str, field: Attribute | IntrinsicField) -> None:
    assert parse_identifier(name) == field


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("app.user.id", "unknown identifier: app"),
        ("span.", "unexpected END_ATTRIBUTE, expecting IDENTIFIER"),
        ("span:nosuch", "unknown intrinsic: span:nosuch"),
        (".a .b", "unexpected ATTRIBUTE, expecting \\$end"),
        (".a }", "unexpected }"),
        ("5", "unexpected INTEGER"),
        ("", "unexpected \\$end"),
        ("parent.x", "not yet supported"),
        ("." + "x" * 200_000, "exceeds the maximum size"),
    ],
)
def test_what_names_nothing_is_refused(name: str, says: str) -> None:
    with pytest.raises(QueryError, match=says):
        parse_identifier(name)
