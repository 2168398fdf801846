"""The engine and the oracle give the same answers, however the spans are spread over units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.backend.query.dataset import Data, dataset, pipelines, requests
from tests.backend.query.oracle import Oracle

from vivace.backend.query.catalogue import Catalogue
from vivace.backend.query.memory import Memory
from vivace.backend.query.search import SearchRequest, search
from vivace.backend.query.tags import TagRequest, TagValue, tag_names, tag_values
from vivace.backend.store.decode import decode
from vivace.backend.store.unit import Unit
from vivace.errors import QueryError
from vivace.traceql import literals
from vivace.traceql.tree import Intrinsic, IntrinsicField, Pipeline, Scope


def units(data: Data, deal: Sequence[int]) -> tuple[Unit, ...]:
    """The spans dealt to units by number."""
    hands: dict[int, Data] = {}
    for place, one in enumerate(data):
        hands.setdefault(deal[place % len(deal)], []).append(one)
    return tuple(Unit.in_memory(decode(requests(hand))) for hand in hands.values())


def found(pipeline: Pipeline, given_units: tuple[Unit, ...]) -> list[dict[str, Any]]:
    catalogue = Catalogue(lambda: given_units, Memory(1 << 20))
    answer: list[dict[str, Any]] = search(catalogue.visible(), SearchRequest(pipeline, limit=100, spans=0))
    return answer


def simple(trace: dict[str, Any]) -> list[Any]:
    """Of each spanset the spans, and the aggregates as numbers; groups show in the spans."""
    return sorted(
        (
            sorted(one["spanID"] for one in spanset["spans"]),
            sorted(
                (each["key"], number(each["value"]))
                for each in spanset.get("attributes", [])
                if not each["key"].startswith("by(")
            ),
        )
        for spanset in trace["spanSets"]
    )


def number(value: dict[str, Any]) -> float:
    """What an aggregate came to; a duration in nanoseconds."""
    if "stringValue" in value:
        return literals.duration(value["stringValue"])
    return round(float(value.get("intValue", value.get("doubleValue", 0))), 9)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=dataset(), pipeline=pipelines, deal=st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_search_answers_what_the_oracle_answers(data: Data, pipeline: Pipeline, deal: list[int]) -> None:
    try:
        expected = Oracle(pipeline).answer(data)
    except QueryError:
        with pytest.raises(QueryError):
            found(pipeline, units(data, deal))
        return
    answered = found(pipeline, units(data, deal))
    assert {one["traceID"].rjust(32, "0"): simple(one) for one in answered} == expected
    order = [(-int(one["startTimeUnixNano"]), one["traceID"].rjust(32, "0")) for one in answered]
    assert order == sorted(order)


@settings(max_examples=25, deadline=None)
@given(data=dataset(), pipeline=pipelines, deal=st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_an_answer_does_not_depend_on_how_spans_are_spread(data: Data, pipeline: Pipeline, deal: list[int]) -> None:
    try:
        together = found(pipeline, units(data, [0]))
    except QueryError:
        return
    assert found(pipeline, units(data, deal)) == together


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=dataset(), pipeline=pipelines, deal=st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_tags_are_those_of_the_spans_that_the_oracle_finds(data: Data, pipeline: Pipeline, deal: list[int]) -> None:
    try:
        expected = Oracle(pipeline).answer(data)
    except QueryError:
        return
    identities = {identity for sets in expected.values() for identities, _ in sets for identity in identities}
    spans = [span for one in data for span in one.scope_spans[0].spans if span.span_id.hex() in identities]
    given_units = units(data, deal)
    views = Catalogue(lambda: given_units, Memory(1 << 20)).visible()
    asked = TagRequest(pipeline=pipeline)
    names = [one.text for one in tag_values(views, asked, IntrinsicField(Intrinsic.SPAN_NAME, "name"))]
    assert names == sorted({span.name for span in spans})
    keys = tag_names(views, asked, [Scope.SPAN])[Scope.SPAN]
    assert keys == sorted({attribute.key for span in spans for attribute in span.attributes})


@settings(max_examples=25, deadline=None)
@given(data=dataset(), deal=st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_root_names_do_not_depend_on_how_spans_are_spread(data: Data, deal: list[int]) -> None:
    def names(given_units: tuple[Unit, ...]) -> list[TagValue]:
        views = Catalogue(lambda: given_units, Memory(1 << 20)).visible()
        return tag_values(views, TagRequest(), IntrinsicField(Intrinsic.TRACE_ROOT_NAME, "rootName"))

    assert names(units(data, deal)) == names(units(data, [0]))
