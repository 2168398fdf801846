"""What a search answers, beyond what the comparison with the oracle and with Tempo covers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.backend.query.samples import NOW, SECOND, catalogue, found, request, span, span_ids, unit

from vivace.backend.query import found as found_module
from vivace.backend.query.parameters import search_parameters
from vivace.backend.query.search import SearchRequest, search
from vivace.backend.query.tag_search import tag_pipeline
from vivace.errors import QueryError
from vivace.traceql.parser import parse
from vivace.traceql.text import text as text_of
from vivace.traceql.tree import Pipeline


def test_newest_traces_come_first_and_ties_are_by_id() -> None:
    units = [unit(request(span(trace, trace, at_s=at))) for trace, at in ((7, 1), (3, 5), (5, 1), (9, 3))]
    assert [one["traceID"] for one in found("{ }", *units)] == ["3", "9", "5", "7"]
    assert [one["traceID"] for one in found("{ }", *units, limit=3)] == ["3", "9", "5"]


def test_the_limit_keeps_the_newest_also_when_an_older_unit_ends_last() -> None:
    long = unit(request(span(1, 1, at_s=0, for_s=100)))
    short = [unit(request(span(trace, trace, at_s=trace, for_s=1))) for trace in (2, 3, 4)]
    assert [one["traceID"] for one in found("{ }", long, *short, limit=2)] == ["4", "3"]


@pytest.mark.parametrize(
    ("start_s", "end_s", "traces"),
    [(None, None, {"1", "2"}), (0, 5, {"1"}), (11, 50, {"2"}), (3, 9, {"1"}), (5, 9, set()), (2, 10, {"1", "2"})],
)
def test_a_window_selects_the_traces_that_overlap_it(start_s: int | None, end_s: int | None, traces: set[str]) -> None:
    one = unit(request(span(1, 1, at_s=1, for_s=3), span(2, 2, at_s=10, for_s=30)))
    start, end = (None if at is None else NOW + at * SECOND for at in (start_s, end_s))
    assert {trace["traceID"] for trace in found("{ }", one, start_ns=start, end_ns=end)} == traces


def test_a_trace_over_several_units_is_one_trace() -> None:
    first = unit(request(span(1, 1, name="root", at_s=2), service="front"))
    second = unit(request(span(1, 2, 1, at_s=1, for_s=4, attributes={"x": 1}), service="back"))
    (trace,) = found("{ .x = 1 && rootName = `root` && traceDuration = 4s }", first, second)
    assert trace["rootServiceName"] == "front"
    assert trace["startTimeUnixNano"] == str(NOW + SECOND)
    assert trace["durationMs"] == 4000
    assert trace["serviceStats"] == {"back": {"spanCount": 1}, "front": {"spanCount": 1}}
    assert span_ids(found("{ name = `root` } > { .x = 1 }", first, second)) == [2]
    assert span_ids(found("{ } | count() = 2", first, second)) == [1, 2]


def test_a_span_that_ends_before_it_starts_does_not_shorten_its_trace() -> None:
    (trace,) = found("{ }", unit(request(span(1, 1, at_s=5, for_s=-2))))
    assert "durationMs" not in trace
    (trace,) = found("{ traceDuration = 3s }", unit(request(span(1, 1, at_s=2, for_s=1), span(1, 2, at_s=5, for_s=-1))))
    assert trace["durationMs"] == 3000


def test_matched_counts_all_spans_though_few_are_shown() -> None:
    one = unit(request(*(span(1, number, at_s=number) for number in range(1, 9))))
    (trace,) = found("{ }", one, spans=2)
    assert trace["spanSets"][0]["matched"] == 8
    assert span_ids([trace]) == [1, 2]


def test_attributes_without_a_column_of_their_own_are_found() -> None:
    keys = {f"key.{number:02d}": number for number in range(20)}
    one = unit(
        request(
            span(1, 1, attributes={**keys, "key.19": "text"}),
            span(1, 2, attributes={"key.19": ["x", "y"], "key.18": 2.5, "key.17": True}),
            **{f"res.{number}": f"v{number}" for number in range(20)},
        ),
        columns=4,
    )
    assert span_ids(found("{ .key.19 = `text` }", one)) == [1]
    assert span_ids(found("{ span.key.18 = 18 }", one)) == [1]
    assert span_ids(found("{ span.key.18 < 3.0 }", one)) == [2]
    assert span_ids(found("{ .key.17 = true }", one)) == [2]
    assert span_ids(found("{ .key.19 = `y` }", one)) == [2]
    assert span_ids(found("{ .key.16 = nil }", one)) == [1, 2]
    assert span_ids(found("{ span.key.16 = nil }", one)) == [2]
    assert span_ids(found("{ resource.res.19 = `v19` }", one)) == [1, 2]


def test_division_of_an_attribute_by_zero_is_an_error() -> None:
    one = unit(request(span(1, 1, attributes={"x": 1, "zero": 0})))
    with pytest.raises(QueryError, match="division by zero"):
        found("{ .x / .zero = 1 }", one)


@pytest.mark.parametrize("zeros", [1, 5, 9])
@pytest.mark.parametrize(
    "query", ["{ .n != 0 && .x / .n = 1 }", "{ .n = 0 || .x % .n = 5 }", "{ .n != 0 } | { .x / .n = 1 }"]
)
def test_a_division_is_guarded_however_many_spans_there_are_to_guard_it_from(zeros: int, query: str) -> None:
    one = unit(request(*(span(1, n, attributes={"x": 1, "n": int(n > zeros)}) for n in range(1, 11))))
    expected = range(1, zeros + 1) if "||" in query else range(zeros + 1, 11)
    assert span_ids(found(query, one, spans=0)) == list(expected)


def test_floating_point_divided_by_an_attribute_of_zero_is_infinite() -> None:
    one = unit(request(span(1, 1, attributes={"x": 1.5, "zero": 0}), span(1, 2, attributes={"x": -1.5, "zero": 0})))
    assert span_ids(found("{ .x / .zero > 1000 }", one)) == [1]


def test_zero_to_a_negative_power_is_infinite() -> None:
    one = unit(request(span(1, 1, attributes={"x": 0})))
    assert span_ids(found("{ .x ^ -1 > 1000 }", one)) == [1]


def test_division_truncates_towards_zero() -> None:
    one = unit(request(span(1, 1, attributes={"x": -7})))
    assert span_ids(found("{ .x / 2 = -3 }", one)) == [1]
    assert span_ids(found("{ .x % 2 = -1 }", one)) == [1]


def test_structural_operators_refuse_several_spansets_of_a_trace() -> None:
    one = unit(request(span(1, 1, attributes={"x": 1}), span(1, 2, 1, attributes={"x": 2})))
    with pytest.raises(QueryError, match="coalesce"):
        found("({ } | by(.x)) > { }", one)
    assert span_ids(found("({ } | by(.x) | coalesce()) > { }", one)) == [2]


def test_spans_whose_parents_form_a_ring_belong_to_no_tree() -> None:
    one = unit(request(span(1, 1, 2), span(1, 2, 1), span(1, 3), span(1, 4, 3)))
    assert span_ids(found("{ } >> { }", one)) == [4]
    assert span_ids(found("{ nestedSetLeft = 0 }", one)) == [1, 2]


@pytest.mark.parametrize("text_of", ["{ nestedSetParent < 0 }", "{ nestedSetParent = -1 }", "{ 0 > nestedSetParent }"])
def test_roots_are_told_by_their_nested_set_parent(text_of: str) -> None:
    one = unit(request(span(1, 1), span(1, 2, 1), span(1, 3, 99)))
    assert span_ids(found(text_of, one)) == [1]
    assert span_ids(found("{ nestedSetParent >= 0 }", one)) == [2, 3]
    assert span_ids(found("{ nestedSetParent = 0 }", one)) == [3]


def test_tags_are_said_in_traceql() -> None:
    parameters = search_parameters(
        {"tags": 'service.name=auth http.status_code=403 name="a b"', "minDuration": "1s"}, NOW
    )
    assert text_of(tag_pipeline(parameters)) == (
        "({ true } && { resource.service.name =~ `(?i:.*auth.*)` }) && "
        "({ (.http.status_code =~ `(?i:.*403.*)`) || (.http.status_code = 403) } && "
        "({ name =~ `(?i:.*a\\ b.*)` } && { traceDuration >= 1s }))"
    )


def test_an_answer_that_would_show_too_many_spans_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found_module, "MOST_SHOWN", 5)
    one = unit(request(*(span(trace, number, at_s=number) for trace in (1, 2) for number in range(1, 5))))
    assert len(span_ids(found("{ }", one, limit=2, spans=2))) == 4
    with pytest.raises(QueryError, match="would show 6 spans, more than 5; lower limit or spss"):
        found("{ }", one, limit=2, spans=3)
    assert len(found("{ }", one, limit=2, spans=3, with_spansets=False)) == 2


def gone_after(calls: int) -> Callable[[], None]:
    """A check that raises once it was called so often."""
    left = iter(range(calls))

    def check() -> None:
        if next(left, None) is None:
            raise InterruptedError

    return check


@pytest.mark.parametrize(
    "text",
    [
        "{ } && { } && { } && { }",
        "{ } | by(span:id) | { } >> { }",
        "{ } | count() > 1 | count() > 2 | count() > 3 | count() > 4",
        '{ name =~ "n.*" && span.x =~ "x.*" }',
    ],
)
def test_a_search_of_one_unit_ends_within_it_when_nobody_waits(text: str) -> None:
    spans = (span(1, number, number - 1, name=f"n{number}", attributes={"x": f"x{number}"}) for number in range(1, 9))
    root = parse(text).root
    assert isinstance(root, Pipeline)
    with pytest.raises(InterruptedError):
        search(catalogue(unit(request(*spans))).visible(), SearchRequest(root), gone_after(3))
