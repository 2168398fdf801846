"""Series: how spans are counted into steps, and what the later stages make of them."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from google.protobuf.json_format import ParseDict
from tests.backend.query.dataset import key_values
from tests.backend.query.samples import NOW, SECOND, catalogue, request, span, unit

from vivace.backend.query.metrics import comparison
from vivace.backend.query.metrics.answer import range_answer
from vivace.backend.query.metrics.quantile import quantiles
from vivace.backend.query.metrics.query import query
from vivace.backend.query.metrics.timeline import Instant, Timeline, default_step, timeline
from vivace.backend.query.tempopb import MESSAGES
from vivace.backend.store.unit import Unit
from vivace.traceql.parser import parse
from vivace.traceql.tree import Pipeline

STEP = 10 * SECOND
TIMES = timeline(NOW, NOW + 30 * SECOND, STEP)


def answered(text: str, *units: Unit, times: Timeline | Instant = TIMES) -> dict[str, list[float]]:
    """The values of each series by its labels' values."""
    root = parse(text).root
    assert not isinstance(root, Pipeline)
    found = query(root, catalogue(*units).visible(), times).series
    return {"/".join(str(value) for _, (_, value) in one.labels): one.values.tolist() for one in found}


def spans(*times_s: float, **more: Any) -> Unit:
    return unit(request(*(span(1 + place, 1, at_s=at, **more) for place, at in enumerate(times_s))))


def test_a_timeline_is_whole_steps_and_one_before() -> None:
    times = timeline(NOW + 7 * SECOND, NOW + 33 * SECOND, STEP)
    assert times.milliseconds == [(NOW + at * SECOND) // 1_000_000 for at in (0, 10, 20, 30, 40)]
    assert (times.start_ns, times.end_ns, len(times)) == (NOW - STEP, NOW + 40 * SECOND, 5)


def test_a_step_includes_its_right_edge_only() -> None:
    assert answered("{ } | count_over_time()", spans(-10, -9, 0, 0.5, 10, 10.5, 30, 30.5)) == {
        "count_over_time": [2, 2, 1, 1]
    }


def test_a_rate_is_per_second() -> None:
    assert answered("{ } | rate()", spans(1, 2, 3)) == {"rate": [0, pytest.approx(0.3), 0, 0]}


def test_an_instant_includes_both_edges() -> None:
    instant = Instant(NOW, NOW + 10 * SECOND)
    assert answered("{ } | count_over_time()", spans(-1, 0, 5, 10, 11), times=instant) == {"count_over_time": [3]}
    assert answered("{ } | rate()", spans(0, 5), times=instant) == {"rate": [pytest.approx(0.2)]}


def test_figures_of_a_field_are_over_the_spans_that_have_it() -> None:
    one = unit(
        request(
            *(span(n, n, at_s=1, attributes={"x": value}) for n, value in enumerate((4, 1.5, "text"), start=1)),
            span(9, 9, at_s=2),
            span(10, 10, at_s=12, attributes={"x": 7}),
        )
    )
    for function, value in {"min": 1.5, "max": 4, "sum": 5.5, "avg": 2.75}.items():
        (series,) = answered(f"{{ }} | {function}_over_time(.x)", one).values()
        assert series == pytest.approx([math.nan, value, 7, math.nan], nan_ok=True)


def test_durations_are_in_seconds() -> None:
    assert answered("{ } | max_over_time(duration)", spans(1, for_s=0.25))["max_over_time"][1] == pytest.approx(0.25)


def test_groups_have_typed_labels_and_nil() -> None:
    one = unit(request(*(span(n, n, at_s=1, attributes=a) for n, a in enumerate(({"x": 1}, {"x": "1"}, {}), start=1))))
    root = parse("{ } | count_over_time() by (.x)").root
    assert not isinstance(root, Pipeline)
    labels = {labels.labels for labels in query(root, catalogue(one).visible(), TIMES).series}
    assert labels == {
        ((".x", ("intValue", "1")),),
        ((".x", ("stringValue", "1")),),
        ((".x", ("stringValue", "nil")),),
    }


def test_the_answer_is_the_same_however_traces_are_spread() -> None:
    first = unit(request(span(1, 1, at_s=1, name="a"), span(2, 2, at_s=2, name="b")))
    second = unit(request(span(1, 3, 1, at_s=11, name="c"), span(3, 4, at_s=12, name="a")))
    assert answered("{ } | count_over_time() by (name)", first, second) == {
        "a": [0, 1, 1, 0],
        "b": [0, 1, 0, 0],
        "c": [0, 0, 1, 0],
    }
    assert answered("{ name = `a` } > { } | count_over_time()", first, second) == {"count_over_time": [0, 0, 1, 0]}


SENT = [(1, "a"), (1, "b"), (2, "b"), (11, "a")]


def test_the_highest_and_lowest_are_judged_at_each_point() -> None:
    one = unit(request(*(span(n, n, at_s=at, name=name) for n, (at, name) in enumerate(SENT, 1))))
    top = answered("{ } | count_over_time() by (name) | topk(1)", one)
    assert top["a"][2] == 1
    assert math.isnan(top["a"][1])
    assert top["b"][1] == 2
    bottom = answered("{ } | count_over_time() by (name) | bottomk(1)", one)
    assert bottom["a"][1] == 1
    assert bottom["b"][2] == 0


def test_a_comparison_drops_points_and_empty_series() -> None:
    one = unit(request(span(1, 1, at_s=1, name="a"), span(2, 2, at_s=2, name="a"), span(3, 3, at_s=1, name="b")))
    assert set(answered("{ } | count_over_time() by (name) > 1", one)) == {"a"}
    assert answered("{ } | max_over_time(duration) > 2s", one) == {}


def test_series_with_equal_labels_are_computed_with() -> None:
    one = unit(request(span(1, 1, at_s=1, name="a"), span(2, 2, at_s=2, name="b"), span(3, 3, at_s=2, name="b")))
    divided = answered("({ } | count_over_time() by (name)) / ({ name = `b` } | count_over_time() by (name))", one)
    assert divided["b"][1] == 1
    assert math.isnan(divided["b"][2])
    assert "a" not in divided
    shares = answered("({ } | count_over_time() by (name)) / ({ } | count_over_time())", one)
    assert [shares["a"][1], shares["b"][1]] == pytest.approx([1 / 3, 2 / 3])
    assert answered("2 * ({ } | count_over_time())", one)["count_over_time"][1] == 6


@pytest.mark.parametrize(
    ("exponents", "share", "value"),
    [
        ([5], 0.5, 2.0**5),
        ([5, 5], 0.5, 2.0**4.5),
        ([3, 5, 5, 5, 5], 0.6, 2.0**4),
        ([3, 4], 0, 2.0**3),
        ([3, 4], 1, 2.0**4),
        ([], 0.5, 0.0),
    ],
)
def test_quantiles_are_interpolated_between_powers_of_two(exponents: list[int], share: float, value: float) -> None:
    counts = np.bincount(exponents, minlength=10).astype(np.float64)
    assert quantiles(np.stack([counts, 0 * counts]), share)[0] == pytest.approx([value, 0])


def test_histograms_have_a_series_per_power_of_two() -> None:
    one = unit(request(*(span(n, n, at_s=1, attributes={"x": x}) for n, x in enumerate((1, 2, 3, 4, 5, 2.5), start=1))))
    assert {key: values[1] for key, values in answered("{ } | histogram_over_time(.x)", one).items()} == {
        "2.0": 1,
        "4.0": 2,
        "8.0": 1,
    }


def test_compare_counts_the_values_of_selected_spans_and_of_the_others() -> None:
    one = unit(
        request(
            span(1, 1, at_s=1, name="a", attributes={"x": 1}),
            span(2, 2, at_s=2, name="a", attributes={"x": 2}),
            span(3, 3, at_s=11, name="b", attributes={"x": 1}),
            span(4, 4, at_s=12, name="c"),
        ),
    )
    found = answered("{ } | compare({ .x = 1 }, 1)", one)
    assert found["selection/a"] == [0, 1, 0, 0]
    assert found["baseline/a"] == [0, 1, 0, 0]
    assert "baseline/c" not in found
    assert found["selection_total/nil"] == [0, 1, 1, 0]
    root = parse("{ } | compare({ .x = 1 })").root
    assert not isinstance(root, Pipeline)
    series = {one.labels: one.values.tolist() for one in query(root, catalogue(one).visible(), TIMES).series}
    baseline, total = (("__meta_type", ("stringValue", kind)) for kind in ("baseline", "baseline_total"))
    assert series[baseline, ("span.x", ("intValue", "2"))] == [0, 1, 0, 0]
    assert series[total, ("span.x", ("stringValue", "nil"))] == [0, 1, 0, 0]
    assert series[baseline, ("resource.service.name", ("stringValue", "shop"))] == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("range_s", "step_s"), [(30, 0.1), (60, 1), (1200, 5), (3600, 15), (6 * 3600, 60), (24 * 3600, 300)]
)
def test_a_step_is_chosen_by_the_range(range_s: int, step_s: float) -> None:
    assert default_step(NOW, NOW + range_s * SECOND) == int(step_s * SECOND)


def test_compare_only_counts_an_attribute_of_too_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "MOST_VALUES", 3)
    sent = [span(n, n, at_s=1, name="x", attributes={"user": n, "tier": n % 2}) for n in range(1, 6)]
    root = parse("{ } | compare({ span.tier = 1 })").root
    assert not isinstance(root, Pipeline)
    series = {
        one.labels: one.values.tolist() for one in query(root, catalogue(unit(request(*sent))).visible(), TIMES).series
    }
    kinds = {labels[0][1][1] for labels in series if labels[-1][0] == "span.user"}
    assert kinds == {"baseline", "baseline_total", "selection_total"} | {"selection"}
    too_many = (("__meta_type", ("stringValue", "selection")), ("__meta_error", ("stringValue", "__too_many_values__")))
    assert [labels for labels in series if "__meta_error" in dict(labels)] == []
    monkeypatch.setattr(comparison, "MOST_VALUES", 2)
    series = {
        one.labels: one.values.tolist() for one in query(root, catalogue(unit(request(*sent))).visible(), TIMES).series
    }
    assert (*too_many, ("span.user", ("stringValue", "nil"))) in series
    total = (("__meta_type", ("stringValue", "selection_total")), ("span.user", ("stringValue", "nil")))
    assert series[total] == [0, 3, 0, 0]


def test_arrays_are_groups_of_their_own() -> None:
    """Of an unequal length, in another order or with other elements they are not the same."""
    given: list[object] = [["a", "b"], ["b", "a"], ["a"], ["a", "b"], ["a", "b", "c"], []]
    one = unit(request(*(span(n, n, at_s=1, attributes={"x": value}) for n, value in enumerate(given, 1))))
    found = answered("{ } | count_over_time() by (span.x)", one)
    assert sorted(values[1] for values in found.values()) == [1, 1, 1, 1, 2]


@pytest.mark.parametrize(
    ("field", "labels"), [("span:id", ["0000000000000003", "000000000000000a"]), ("trace:id", ["1", "2"])]
)
def test_ids_are_groups(field: str, labels: list[str]) -> None:
    one = unit(request(span(1, 3, at_s=1), span(2, 10, at_s=1)))
    assert sorted(answered(f"{{ }} | rate() by ({field})", one)) == labels


def test_an_array_is_a_group_as_a_whole_whatever_is_filtered_by() -> None:
    views = catalogue(unit(request(span(1, 1, at_s=1, name="n", attributes={"x": ["a", "b"]})))).visible()
    labels = set()
    for value in ("none", "a", "b"):
        root = parse(f"{{ name = `n` || span.x = `{value}` }} | rate() by (span.x)").root
        assert not isinstance(root, Pipeline)
        answer = query(root, views, TIMES)
        labels |= {one.labels[0][1] for one in answer.series}
    array = {"values": [{"stringValue": "a"}, {"stringValue": "b"}]}
    assert labels == {("arrayValue", json.dumps(array))}
    (label,) = ParseDict(range_answer(answer, TIMES), MESSAGES["QueryRangeResponse"]()).series[0].labels  # type: ignore[attr-defined]
    assert [one.string_value for one in label.value.array_value.values] == ["a", "b"]


@pytest.mark.parametrize(
    ("field", "label"),
    [
        ("span.x", "span.x"),
        ("resource.zone", "resource.zone"),
        ("resource.service.name", "resource.service.name"),
        ("instrumentation:name", "instrumentation:name"),
        ("rootName", "rootName"),
        ("name", "name"),
        ("kind", "kind"),
    ],
)
def test_compare_counts_each_value_as_by_does(field: str, label: str) -> None:
    """Of spans, and of what they share, of several types, in several units that have parts of the same traces."""
    values = (1, "a", ["a", "b"], 2.5, 1)
    units = []
    for u in range(3):
        spans = [span(n // 3 + 1, 100 * u + n, n // 2, at_s=n, name=f"n{n % 3}", kind=n % 4) for n in range(1, 12)]
        for n, one in enumerate(spans):
            one.attributes.extend(key_values({"x": values[n % 5]}))
        named = request(*spans, service=f"s{u % 2}", zone=values[u])
        units.append(unit(named, request(span(100 + u, 100 * u + 50, at_s=5))))
    root = parse("{ duration > 0s } | compare({ kind = server }, 100)").root
    assert not isinstance(root, Pipeline)
    found = {one.labels: one.values.tolist() for one in query(root, catalogue(*units).visible(), TIMES).series}
    for kind, chosen in (("selection", "{ kind = server }"), ("baseline", "{ kind != server }")):
        root = parse(f"{chosen} | count_over_time() by ({field})").root
        assert not isinstance(root, Pipeline)
        by_value = {one.labels[0][1]: one.values for one in query(root, catalogue(*units).visible(), TIMES).series}
        by_value.pop(("stringValue", "nil"), None)
        compared = {
            labels[1][1]: values
            for labels, values in found.items()
            if labels[0][1][1] == kind and labels[1][0] == label
        }
        assert compared == {value: counts.tolist() for value, counts in by_value.items()}
        total = next(
            values for labels, values in found.items() if labels[0][1][1] == f"{kind}_total" and labels[1][0] == label
        )
        assert total == np.sum(list(by_value.values()), axis=0).tolist()
