"""What one query may take: each bound, and that it is kept."""

from __future__ import annotations

from typing import Any

import pytest
from tests.backend.query.samples import NOW, SECOND, catalogue, request, span, unit

from vivace.backend.query.metrics import bounds, partial, united
from vivace.backend.query.metrics.bounds import Bounds
from vivace.backend.query.metrics.query import Answer, query
from vivace.backend.query.metrics.timeline import Times, timeline
from vivace.backend.store.unit import Unit
from vivace.errors import QueryError
from vivace.traceql.parser import parse
from vivace.traceql.tree import Pipeline

TIMES = timeline(NOW, NOW + 30 * SECOND, 10 * SECOND)


def answered(text: str, *units: Unit, times: Times = TIMES, **more: Any) -> Answer:
    root = parse(text).root
    assert not isinstance(root, Pipeline)
    return query(root, catalogue(*units).visible(), times, **more)


def users(*counts: int) -> Unit:
    """A unit in which user 0 has so many spans, user 1 so many, and so on."""
    which = [number for number, count in enumerate(counts) for _ in range(count)]
    return unit(request(*(span(n, n, at_s=1, attributes={"user": f"u{user}"}) for n, user in enumerate(which, 1))))


def shown(answer: Answer) -> list[object]:
    return [one.labels[0][1][1] for one in answer.series]


def test_no_more_series_are_answered_than_asked_for_and_those_have_most_spans() -> None:
    text = "{ } | count_over_time() by (span.user)"
    one = users(1, 3, 2, 3)
    answer = answered(text, one, bounds=Bounds(2))
    assert shown(answer) == ["u1", "u3"]
    assert answer.partial is not None
    assert answer.partial.startswith("Response exceeds maximum series limit of 2, a partial response is returned")
    assert shown(answered(text, one, bounds=Bounds(3))) == ["u1", "u2", "u3"]
    assert answered(text, one, bounds=Bounds(4)).partial is None


def test_of_groups_with_as_many_spans_the_first_are_answered_however_they_are_stored() -> None:
    text = "{ } | rate() by (span.user)"
    first, second = users(0, 1, 0, 1), users(1, 0, 1, 0)
    found = {tuple(shown(answered(text, *units, bounds=Bounds(2)))) for units in ((first, second), (second, first))}
    assert found == {("u0", "u1")}


def test_quantiles_of_a_group_count_as_series() -> None:
    text = "{ } | quantile_over_time(duration, .5, .9) by (span.user)"
    assert shown(answered(text, users(1, 2, 3), bounds=Bounds(4))) == ["u1", "u1", "u2", "u2"]
    assert len(answered(text, users(1, 2, 3), bounds=Bounds(3)).series) == 2


def test_later_stages_see_all_groups() -> None:
    text = "{ } | count_over_time() by (span.user)"
    answer = answered(f"{text} = 1", users(3, 1, 2), bounds=Bounds(1))
    assert (shown(answer), answer.partial) == (["u1"], None)
    answer = answered(f"{text} > 1", users(3, 1, 2), bounds=Bounds(1))
    assert shown(answer) == ["u0"]
    assert answer.partial is not None


def test_a_default_bounds_the_series_and_the_points_of_every_answer() -> None:
    assert Bounds().most_series(60) == bounds.MOST_SERIES
    assert Bounds(10**9).most_series(10_000) * 10_000 == bounds.MOST_POINTS
    assert Bounds(5).most_series(10**9) == 1


def test_more_groups_than_are_counted_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial.counted, "__defaults__", (3,))
    with pytest.raises(QueryError, match=r"by\(\) gives more than 3 groups; filter more"):
        answered("{ } | rate() by (span.user)", users(1, 1, 1, 1))


def test_more_groups_than_are_counted_are_refused_when_no_unit_has_them_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(united.united, "__defaults__", (3,))
    with pytest.raises(QueryError, match=r"by\(\) gives more than 3 groups"):
        answered("{ } | rate() by (span.user)", users(1, 1), users(0, 0, 1, 1))


def test_a_stage_over_too_many_points_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_CELLS", 11)
    text = "{ } | rate() by (span.user)"
    assert len(answered(text, users(1, 1, 1)).series) == 3
    with pytest.raises(QueryError, match="a later stage needs 3 series of 4 points, more than 11 values; lengthen"):
        answered(f"{text} | topk(1)", users(1, 1, 1))
    with pytest.raises(QueryError, match="a later stage needs"):
        answered(f"({text}) + ({text})", users(1, 1, 1))


def test_what_units_contribute_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_COUNTED", 5)
    text = "{ } | rate() by (name)"
    first, second = (
        unit(request(*(span(n, n, at_s=1, name=f"n{n}") for n in some))) for some in ((1, 2, 3), (4, 5, 6))
    )
    assert len(answered(text, first).series) == 3
    with pytest.raises(QueryError, match="needs more than 5 counters; lengthen the step"):
        answered(text, first, second)


def test_times_far_apart_take_no_memory() -> None:
    """Steps between them, a hundred million, are not counted."""
    one = unit(request(span(1, 1, at_s=1), span(2, 2, at_s=-NOW // SECOND)))
    (series,) = answered("{ } | count_over_time() by (name)", one).series
    assert series.values.tolist() == [0, 1, 0, 0]


def test_groups_by_several_fields_of_many_values_take_no_more_than_there_are() -> None:
    """The product of what each field has would be 2^50."""
    fields = [f"span.f{number}" for number in range(5)]
    one = unit(request(*(span(n, n, at_s=1, attributes={f"f{k}": n for k in range(5)}) for n in range(1, 1025))))
    answer = answered(f"{{ }} | count_over_time() by ({', '.join(fields)})", one, bounds=Bounds(2000))
    assert len(answer.series) == 1024
    assert sum(series.values.sum() for series in answer.series) == 1024
