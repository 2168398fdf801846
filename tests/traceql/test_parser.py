"""What texts become which trees, and what is said about texts that are no queries."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from vivace.errors import QueryError
from vivace.traceql.limits import MAX_BYTES
from vivace.traceql.parser import parse
from vivace.traceql.text import text
from vivace.traceql.tree import (
    Aggregate,
    Attribute,
    Binary,
    FieldExpression,
    Hint,
    Intrinsic,
    IntrinsicField,
    MetricsAggregate,
    MetricsOperation,
    MetricsPipeline,
    Operator,
    Pipeline,
    Query,
    ScalarFilter,
    Scope,
    SeriesFilter,
    SpansetFilter,
    SpansetOperation,
    SpansetOperator,
    Static,
    StaticType,
    TopBottom,
    Unary,
)

TESTDATA = Path(__file__).parents[1] / "testdata" / "traceql"
GOOD = (TESTDATA / "good.traceql").read_text().splitlines()
BAD = yaml.safe_load((TESTDATA / "bad.yaml").read_text())

A, B, C = (Attribute(Scope.NONE, name) for name in "abc")
ALL = SpansetFilter(Static(StaticType.BOOL, True))


def number(value: int) -> Static:
    return Static(StaticType.INT, value)


def field(query: str) -> FieldExpression:
    root = parse(f"{{ {query} }}").root
    assert isinstance(root, Pipeline)
    stage = root.stages[0]
    assert isinstance(stage, SpansetFilter)
    return stage.expression


@pytest.mark.parametrize("query", GOOD)
def test_a_good_query_survives_being_written_out(query: str) -> None:
    tree = parse(query)
    assert parse(text(tree)) == tree


@pytest.mark.parametrize("case", BAD, ids=lambda case: str(case["query"])[:40])
def test_a_bad_query_is_refused_in_words(case: dict[str, str]) -> None:
    with pytest.raises(QueryError) as caught:
        parse(case["query"])
    assert case["says"] in str(caught.value)
    assert "\n" not in str(caught.value).replace(case["query"], "")


def test_an_error_names_its_place() -> None:
    with pytest.raises(QueryError, match=r"parse error at line 2, col 5: syntax error: unexpected }") as caught:
        parse("{ .a\n  = }")
    assert (caught.value.line, caught.value.column) == (2, 5)


@pytest.mark.parametrize(
    ("query", "tree"),
    [
        (".a", A),
        ("span.a.b", Attribute(Scope.SPAN, "a.b")),
        ('."b c".d = nil', Binary(Operator.EQUAL, Attribute(Scope.NONE, "b c.d"), Static(StaticType.NIL, None))),
        ("nil != .a", Binary(Operator.NOT_EQUAL, Static(StaticType.NIL, None), A)),
        (".a+1 = 2", Binary(Operator.EQUAL, Attribute(Scope.NONE, "a+1"), number(2))),
        (".a = -1", Binary(Operator.EQUAL, A, number(-1))),
        (".a = minInt", Binary(Operator.EQUAL, A, number(-(2**63)))),
        (".a = 1h30m", Binary(Operator.EQUAL, A, Static(StaticType.DURATION, 5_400_000_000_000))),
        (".a = 0.4s", Binary(Operator.EQUAL, A, Static(StaticType.DURATION, 400_000_000))),
        (".a = .5", Binary(Operator.EQUAL, A, Static(StaticType.FLOAT, 0.5))),
        (r'.a = "\x41\u00e9"', Binary(Operator.EQUAL, A, Static(StaticType.STRING, "Aé"))),
        (r".a = `\n`", Binary(Operator.EQUAL, A, Static(StaticType.STRING, r"\n"))),
        (
            "kind = server",
            Binary(Operator.EQUAL, IntrinsicField(Intrinsic.SPAN_KIND, "kind"), Static(StaticType.KIND, "server")),
        ),
        (
            "span:status != ok",
            Binary(
                Operator.NOT_EQUAL,
                IntrinsicField(Intrinsic.SPAN_STATUS, "span:status"),
                Static(StaticType.STATUS, "ok"),
            ),
        ),
    ],
)
def test_leaves_of_the_tree(query: str, tree: FieldExpression) -> None:
    assert field(query) == tree


@pytest.mark.parametrize(
    ("query", "parenthesised"),
    [
        (".a || .b && .c", "(.a || .b) && .c"),
        (".a && .b || .c", "(.a && .b) || .c"),
        (".a = 1 || .b = 2", "(.a = 1) || (.b = 2)"),
        ("!.a = .b", "(!.a) = .b"),
        (".a + .b * .c = 1", "(.a + (.b * .c)) = 1"),
        (".a - .b - .c = 1", "((.a - .b) - .c) = 1"),
        (".a ^ .b ^ .c = 1", "(.a ^ (.b ^ .c)) = 1"),
        ("-.a ^ .b = 1", "((-.a) ^ .b) = 1"),
        (".a = .b != .c", "(.a = .b) != .c"),
    ],
)
def test_precedence_of_field_operators(query: str, parenthesised: str) -> None:
    assert field(query) == field(parenthesised)


def test_precedence_of_spanset_operators() -> None:
    a, b, c = map(SpansetFilter, (A, B, C))
    relation = SpansetOperation(SpansetOperator.CHILD, a, b)
    assert parse("{ .a } > { .b } || { .c } && { .a }").root == Pipeline(
        (SpansetOperation(SpansetOperator.AND, SpansetOperation(SpansetOperator.OR, relation, c), a),)
    )


def test_a_single_spanset_in_parentheses_is_no_pipeline() -> None:
    assert parse("(({ .a })) && { .b }") == parse("{ .a } && { .b }")


def test_constants_are_folded_as_go_does() -> None:
    query = parse("{} | avg(.a) > 7 / -2 * 10 + 7 % -4 - 2 ^ 3")
    assert query.root == Pipeline((ALL, ScalarFilter(Operator.GREATER, Aggregate("avg", A), number(-30 + 3 - 8))))


def test_metrics() -> None:
    rate = MetricsPipeline(Pipeline((ALL,)), MetricsAggregate("rate"))
    by = MetricsAggregate("quantile_over_time", A, (B, C), (0.5, 1.0))
    assert parse("{} | rate()").root == rate
    assert parse("{} | quantile_over_time(.a, .5, 1) by (.b, .c) | topk(3) > 5").root == MetricsPipeline(
        Pipeline((ALL,)), by, (TopBottom("topk", 3), SeriesFilter(Operator.GREATER, number(5)))
    )
    assert parse("({} | rate()) * 2 > 5").root == MetricsOperation(
        Operator.MULTIPLY, rate, number(2), (SeriesFilter(Operator.GREATER, number(5)),)
    )


def test_hints() -> None:
    hints = (Hint("sample", Static(StaticType.FLOAT, 0.1)), Hint("exemplars", Static(StaticType.BOOL, True)))
    assert parse("{} with (sample=0.1, exemplars=true)") == Query(Pipeline((ALL,)), hints)


@pytest.mark.parametrize(
    "query",
    [
        "(" * 10_000 + "{}" + ")" * 10_000,
        "{" + "(" * 10_000 + ".a" + ")" * 10_000 + "}",
        "{ " + "!" * 10_000 + ".a }",
        "{ " + "- " * 10_000 + ".a > 1 }",
        "{ .a" + " + 1" * 10_000 + " > 1 }",
        "{ .a" + " ^ 1" * 10_000 + " > 1 }",
        "{}" + " > {}" * 10_000,
        "{ .a" + " && .a || .a" * 5_000 + " }",
        "({} | rate())" + " + 1" * 10_000,
    ],
    ids=lambda query: query[:20],
)
def test_nesting_is_bounded(query: str) -> None:
    with pytest.raises(QueryError, match=r"nested more than \d+ levels"):
        parse(query)


@pytest.mark.parametrize("operator", ["||", "&&"])
def test_a_long_chain_of_one_operator_is_no_nesting(operator: str) -> None:
    tree = parse("{ " + f" {operator} ".join(f".a = {n}" for n in range(5_000)) + " }")
    assert parse(text(tree)) == tree


def test_a_query_too_large_is_refused() -> None:
    query = f'{{ .a = "{"x" * MAX_BYTES}" }}'
    with pytest.raises(QueryError, match=f"exceeds the maximum size of {MAX_BYTES} bytes"):
        parse(query)


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(QueryError, match="not valid Unicode at character 9"):
        parse('{ .a = "\ud800" }')


OPERATORS = '{ } ( ) = ~ ! < > & | ^ , + - * / % . " ` && || !~ =~ // /* */ {} |'
WORDS = '.a span. event."x" nil true 1 1.5 1h 0x "s" `[` name span: trace:id error parent.b minInt é \x00'
CALLS = "count() by(.a) rate() with(a=1) avg( topk(1) select( compare({}"
TOKENS = st.sampled_from([*f"{OPERATORS} {WORDS} {CALLS}".split(), "\n"])


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.text(max_size=60), st.lists(TOKENS, max_size=20).map(" ".join), st.lists(TOKENS).map("".join)))
def test_any_text_is_a_query_or_a_query_error(query: str) -> None:
    try:
        tree = parse(query)
    except QueryError as error:
        assert str(error)  # noqa: PT017 - either outcome is right
    else:
        assert parse(text(tree)) == tree


def test_not_is_kept() -> None:
    assert field("!.a") == Unary(Operator.NOT, A)
    assert field("!!.a") == Unary(Operator.NOT, Unary(Operator.NOT, A))
