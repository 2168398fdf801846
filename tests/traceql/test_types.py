"""Types that are known before data is seen."""

from __future__ import annotations

import pytest

from vivace.traceql.parser import parse_syntax
from vivace.traceql.tree import GroupBy, Pipeline, StaticType
from vivace.traceql.types import references_span, static_type


@pytest.mark.parametrize(
    ("expression", "kind", "of_span"),
    [
        ("5", StaticType.INT, False),
        ("5s", StaticType.DURATION, False),
        (".a", StaticType.ATTRIBUTE, True),
        ("name", StaticType.STRING, True),
        ("span:childCount", StaticType.INT, True),
        ("event:timeSinceStart", StaticType.DURATION, True),
        ("kind", StaticType.KIND, True),
        (".a + 1", StaticType.INT, True),
        ("1.5 * .a", StaticType.FLOAT, True),
        (".a + .b", StaticType.ATTRIBUTE, True),
        ("-.a", StaticType.ATTRIBUTE, True),
        ("!.a", StaticType.BOOL, True),
        ("1 = 2", StaticType.BOOL, False),
        (".a = nil", StaticType.BOOL, True),
    ],
)
def test_type_of_an_expression(expression: str, kind: StaticType, of_span: bool) -> None:
    root = parse_syntax(f"by({expression})").root
    assert isinstance(root, Pipeline)
    stage = root.stages[0]
    assert isinstance(stage, GroupBy)
    assert static_type(stage.expression) is kind
    assert references_span(stage.expression) is of_span
