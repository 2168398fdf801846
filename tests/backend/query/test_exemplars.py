"""Exemplars: spans behind the values of series, few, and the same however the spans are stored."""

from __future__ import annotations

from typing import cast

import pytest
from tests.backend.query.samples import NOW, SECOND, catalogue, request, span, unit

from vivace.backend.query.compare import still
from vivace.backend.query.metrics.bounds import MOST_EXEMPLARS, Bounds, asked_bounds
from vivace.backend.query.metrics.query import query
from vivace.backend.query.metrics.series import Exemplar
from vivace.backend.query.metrics.timeline import Instant, timeline
from vivace.backend.query.parameters import metrics_parameters
from vivace.backend.query.querier import Querier
from vivace.backend.query.shown import Json
from vivace.backend.store.unit import Unit
from vivace.traceql.parser import parse
from vivace.traceql.tree import Pipeline

TIMES = timeline(NOW, NOW + 30 * SECOND, 10 * SECOND)


def exemplars(text: str, *units: Unit, most: int = 100) -> dict[str, list[Exemplar]]:
    """The exemplars of each series by its labels' values."""
    root = parse(text).root
    assert not isinstance(root, Pipeline)
    answer = query(root, catalogue(*units).visible(), TIMES, bounds=Bounds(0, most))
    return {"/".join(str(value) for _, (_, value) in one.labels): list(one.exemplars) for one in answer.series}


def sent(*traces: int, service: str = "shop") -> Unit:
    """A unit of a span per trace, a second after each other, that last as many seconds."""
    return unit(request(*(span(trace, trace, at_s=trace, for_s=trace) for trace in traces), service=service))


def listed(answer: Json) -> list[Json]:
    """The series of an answer of the API."""
    return cast("list[Json]", answer["series"])


def test_a_count_has_an_exemplar_per_step_on_the_line() -> None:
    (found,) = exemplars("{ } | count_over_time()", sent(1, 2, 11)).values()
    assert found == [Exemplar(2, 2, NOW + 2 * SECOND), Exemplar(11, 1, NOW + 11 * SECOND)]


def test_an_exemplar_of_a_field_has_its_own_value_in_seconds() -> None:
    (found,) = exemplars("{ } | avg_over_time(duration)", sent(1, 3)).values()
    assert found == [Exemplar(3, 3, NOW + 3 * SECOND)]


@pytest.mark.parametrize(("function", "trace"), [("min", 2), ("max", 7)])
def test_an_exemplar_of_an_extreme_is_a_span_that_has_it(function: str, trace: int) -> None:
    (found,) = exemplars(f"{{ }} | {function}_over_time(duration)", sent(4, 7), sent(2, 5)).values()
    assert [one.trace_id for one in found] == [trace]


def test_an_exemplar_of_a_quantile_is_out_of_the_bucket_that_it_is_in() -> None:
    found = exemplars("{ } | quantile_over_time(duration, .1, .9)", sent(1, 2, 9))
    assert [one.trace_id for one in found["0.1"]] == [1]
    assert [one.trace_id for one in found["0.9"]] == [9]


def test_an_exemplar_of_a_histogram_is_out_of_its_bucket() -> None:
    found = exemplars("{ } | histogram_over_time(duration)", sent(1, 2, 9))
    assert [[one.trace_id for one in mine] for mine in found.values()] == [[1], [2], [9]]


def test_each_group_has_its_own_and_all_together_are_bounded() -> None:
    units = [sent(1, 11, 21, service="a"), sent(2, 12, 22, service="b")]
    by_service = "{ } | rate() by (resource.service.name)"
    assert [[one.trace_id for one in mine] for mine in exemplars(by_service, *units).values()] == [
        [1, 11, 21],
        [2, 12, 22],
    ]
    assert [len(mine) for mine in exemplars(by_service, *units, most=2).values()] == [1, 1]
    assert [len(mine) for mine in exemplars(by_service, *units, most=1).values()] == [1, 0]
    assert [len(mine) for mine in exemplars(by_service, *units, most=0).values()] == [0, 0]


def test_they_are_the_same_however_the_spans_are_stored() -> None:
    text = "{ } | rate() by (resource.service.name)"
    together = exemplars(text, sent(*range(1, 30)))
    assert together == exemplars(text, sent(*range(20, 30)), sent(*range(1, 11)), sent(*range(11, 20)))


def test_they_stay_with_the_points_that_a_later_stage_keeps() -> None:
    found = exemplars("{ } | count_over_time() > 1", sent(1, 2, 11))
    assert [one.trace_id for (one,) in found.values()] == [2]


def test_what_is_computed_from_several_series_has_none() -> None:
    assert list(exemplars("({ } | rate()) + ({ } | rate())", sent(1)).values()) == [[]]


@pytest.mark.parametrize(
    ("hint", "given", "most"),
    [
        ("", 0, MOST_EXEMPLARS),
        ("", 7, 7),
        ("", 100_000, MOST_EXEMPLARS),
        ("exemplars=false", 7, 0),
        ("exemplars=true", 7, MOST_EXEMPLARS),
        ("exemplars=3", 7, 3),
        ("sample=true", 7, 7),
    ],
)
def test_how_many_is_told_by_the_parameter_or_the_hint(hint: str, given: int, most: int) -> None:
    parsed = parse(f"{{ }} | rate() with({hint})" if hint else "{ } | rate()")
    assert asked_bounds(0, given, parsed.hints).exemplars == most


def test_the_api_shows_them_with_trace_id_value_and_time() -> None:
    querier = Querier(lambda: (sent(0xA0B),))
    start = NOW // SECOND + 0xA0B
    given = {"q": "{ } | rate()", "start": str(start - 5), "end": str(start + 5), "step": "10s"}
    (series,) = listed(querier.metrics_range(metrics_parameters(given, NOW), still))
    assert series["exemplars"] == [
        {
            "labels": [{"key": "trace:id", "value": {"stringValue": "a0b"}}],
            "value": 0.1,
            "timestampMs": str(start * 1000),
        }
    ]
    without = given | {"q": "{ } | rate() with(exemplars=false)"}
    assert "exemplars" not in listed(querier.metrics_range(metrics_parameters(without, NOW), still))[0]
    assert "exemplars" not in listed(querier.metrics_instant(metrics_parameters(given, NOW), still))[0]


def test_an_instant_counts_for_its_exemplars_too() -> None:
    root = parse("{ } | rate()").root
    assert not isinstance(root, Pipeline)
    instant = Instant(NOW, NOW + 10 * SECOND)
    (series,) = query(root, catalogue(sent(4)).visible(), instant, bounds=Bounds(0, 1)).series
    assert [one.trace_id for one in series.exemplars] == [4]
