"""The built-in questions suit tests of every length."""

from __future__ import annotations

from pathlib import Path

import pytest

from vivace.backend.query.catalogue import Catalogue
from vivace.backend.query.memory import Memory
from vivace.backend.query.search import SearchRequest, search
from vivace.backend.store.decode import decode
from vivace.backend.store.unit import Unit
from vivace.query.mix import built_in_mix
from vivace.query.plan import Plan, PlanEntry
from vivace.query.settings import QuerySettings
from vivace.telemetry.generate import TraceSettings, generate_traces
from vivace.traceql.parser import parse
from vivace.traceql.tree import Pipeline


@pytest.mark.parametrize("duration_s", [1.0, 30.0, 300.0, 7200.0])
def test_every_query_meets_every_bucket_as_often_as_it_weighs(duration_s: float) -> None:
    queries, buckets, entries = built_in_mix(duration_s)
    assert len({query.name for query in queries}) == len(queries)
    weight = sum(bucket.weight for bucket in buckets)
    for bucket in buckets:
        assert 0 <= bucket.age_start_s < bucket.age_end_s < duration_s
        assert sum(entry.bucket == bucket.name for entry in entries) * weight == bucket.weight * len(entries)
    assert set(entries) == {PlanEntry(query.name, bucket.name) for query in queries for bucket in buckets}
    Plan(queries, buckets, entries, seed=1)


def test_all_are_searches() -> None:
    for query in built_in_mix(30.0)[0]:
        assert not parse(query.traceql).is_metrics


def test_a_long_test_looks_back_a_quarter_of_an_hour() -> None:
    _, buckets, _ = built_in_mix(24 * 3600.0)
    assert [(bucket.age_start_s, bucket.age_end_s) for bucket in buckets] == [(12, 60), (60, 300), (300, 900)]


def test_the_mix_makes_valid_settings(settings: object) -> None:
    queries, buckets, plan = built_in_mix(30.0)
    assert isinstance(settings(queries=queries, buckets=buckets, plan=plan), QuerySettings)  # type: ignore[operator]


def test_each_finds_some_of_the_generated_traces_and_not_all(tmp_path: Path) -> None:
    generate_traces(TraceSettings(profile="medium", traces=1000, traces_per_request=50, seed=1), tmp_path / "shop")
    unit = Unit.in_memory(decode([(tmp_path / "shop-traces.pb").read_bytes()]))
    visible = list(Catalogue(lambda: (unit,), Memory(1 << 28)).visible())
    for query in built_in_mix(30.0)[0]:
        pipeline = parse(query.traceql).root
        assert isinstance(pipeline, Pipeline)
        traces = len(search(visible, SearchRequest(pipeline, limit=1000)))
        assert (traces == 0) if query.name == "nothing" else (0 < traces < 800), query.name
