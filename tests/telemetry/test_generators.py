"""Attributes that the user asks for, as they arrive on spans and resources."""

from __future__ import annotations

import json
from collections import Counter
from math import log

import numpy as np
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from tests.telemetry.otlp import Seen, seen

from vivace.errors import ConfigurationError
from vivace.telemetry import draws
from vivace.telemetry.generate import TraceSettings, stream_traces
from vivace.telemetry.generators import Attributes


def spans(span: object, resource: object = None, traces: int = 300) -> list[Seen]:
    attributes = Attributes.model_validate_json(json.dumps({"span": span, "resource": resource or {}}))
    settings = TraceSettings(traces=traces, traces_per_request=50, seed=3, attributes=attributes)
    return [span for part in stream_traces(settings) for span in seen(part.payload.tobytes())]


def values(key: str, generator: object, traces: int = 300) -> list[object]:
    return [span.attributes[key] for span in spans({key: generator}, traces=traces)]


@pytest.mark.parametrize("value", ["gold", True, 7, 2.5])
def test_a_constant_keeps_its_type(value: object) -> None:
    for generator in (value, {"constant": value}):
        assert {(type(found), found) for found in values("a", generator, traces=10)} == {(type(value), value)}


def test_a_choice_follows_its_weights() -> None:
    found = Counter(values("tier", {"choice": {"gold": 1, "silver": 3, "none": 0}}))
    assert set(found) == {"gold", "silver"}
    assert found["silver"] / found.total() == pytest.approx(0.75, abs=0.02)


def test_a_choice_from_a_list_keeps_types() -> None:
    found = Counter(values("a", {"choice": [200, "ok", True]}))
    assert {(type(value), value) for value in found} == {(int, 200), (str, "ok"), (bool, True)}
    assert min(found.values()) / found.total() == pytest.approx(1 / 3, abs=0.03)


def test_a_sequence_runs_through_all_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vivace.telemetry.traces.BATCH_SPANS", 2000)
    found = values("a", {"sequence": {"start": 10, "step": -2}})
    assert sorted(map(int, map(str, found)), reverse=True) == list(range(10, 10 - 2 * len(found), -2))


def test_a_sequence_with_a_prefix_is_text() -> None:
    assert {str(value).partition("-")[0] for value in values("a", {"sequence": 1, "prefix": "n-"}, traces=10)} == {"n"}


def test_uniform_cardinality() -> None:
    found = Counter(values("a", {"cardinality": 50, "prefix": "c"}, traces=600))
    assert set(found) == {f"c{number}" for number in range(50)}
    assert max(found.values()) < 1.5 * min(found.values())


def test_a_cardinality_without_end() -> None:
    found = values("a", {"cardinality": 10**15})
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("exponent", [0.8, 1, 1.5])
def test_zipf_falls_with_its_exponent(exponent: float) -> None:
    found = Counter(
        int(str(value)) for value in values("a", {"cardinality": 1000, "distribution": "zipf", "exponent": exponent})
    )
    assert min(found) == 0
    assert max(found) < 1000
    tenth = sum(found[rank] for rank in range(8, 12))
    hundredth = sum(found[rank] for rank in range(80, 120))
    assert log(hundredth / tenth, 10) == pytest.approx(1 - exponent, abs=0.15)


def test_texts_of_a_size_compress_as_text_does() -> None:
    found = [str(value) for value in values("a", {"size": {"min": 10, "max": 40}, "prefix": "> "})]
    assert {len(text) for text in found} == set(range(12, 43))
    assert len(set(found)) > len(found) / 2


def test_texts_may_be_longer_than_what_they_are_cut_from() -> None:
    found = [str(span.attributes["a"]) for span in spans({"a": {"size": draws.POOL_BYTES + 5}}, traces=2)]
    assert {len(text) for text in found} == {draws.POOL_BYTES + 5}


def test_a_share_of_spans() -> None:
    every = spans({"a": {"constant": 1, "share": 0.25}})
    assert np.mean(["a" in span.attributes for span in every]) == pytest.approx(0.25, abs=0.02)


def test_one_value_per_trace() -> None:
    met: dict[bytes, set[object]] = {}
    for span in spans({"a": {"cardinality": 10**9, "per": "trace"}}):
        met.setdefault(span.span.trace_id, set()).add(span.attributes["a"])
    assert {len(found) for found in met.values()} == {1}
    assert len({value for found in met.values() for value in found}) == len(met)


def test_what_was_there_is_replaced() -> None:
    given = {"http.route": "here", "url.path": "/path", "session.id": 1, "db.query.text": "none"}
    for span in spans(given, {"service.version": "9", "own": 1}, traces=100):
        keys = [attribute.key for attribute in span.span.attributes]
        assert len(set(keys)) == len(keys)
        assert given.items() <= span.attributes.items()
        assert (span.resource["service.version"], span.resource["own"]) == ("9", 1)


def test_resources_stay_what_they_are_and_get_more() -> None:
    attributes = Attributes.model_validate_json('{"resource": {"ring": {"choice": ["a", "b"], "share": 0.5}}}')
    settings = TraceSettings(traces=400, seed=3, attributes=attributes)
    entries = [
        {attribute.key for attribute in entry.resource.attributes}
        for part in stream_traces(settings)
        for entry in TracesData.FromString(part.payload.tobytes()).resource_spans
    ]
    assert np.mean(["ring" in keys for keys in entries]) == pytest.approx(0.5, abs=0.12)
    assert all({"service.name", "k8s.pod.name"} <= keys for keys in entries)


def test_more_fresh_text_than_can_be_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draws, "MOST_WORDS", 100)
    with pytest.raises(
        ConfigurationError, match="a request has over 100 words of fresh text; lower traces_per_request"
    ):
        spans({"a": {"fresh": 8}}, traces=50)
