from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from tests.telemetry.otlp import seen

from vivace.telemetry.fresh import DIGITS, MARK, MOST_WORDS, find, placeholders, values
from vivace.telemetry.generate import TraceSettings, generate_traces
from vivace.telemetry.generators import Attributes
from vivace.telemetry.identity import fresh_words, request_values
from vivace.telemetry.patch import sent_request
from vivace.telemetry.places import build
from vivace.telemetry.template import Template

T0 = 1_800_000_000_000_000_000
ATTRIBUTES = Attributes.model_validate_json(
    """{"span": {"span.id": {"fresh": 16, "prefix": "s-"}, "trace.key": {"fresh": 8, "per": "trace"},
                 "some": {"fresh": 24, "share": 0.3}},
        "resource": {"pod": {"fresh": 8, "prefix": "pod-"}}}"""
)
SETTINGS = TraceSettings(profile="small", traces=40, traces_per_request=8, seed=5, attributes=ATTRIBUTES)
HEX = re.compile(r"(s-|pod-)?([0-9a-f]{8})+")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    prefix = tmp_path_factory.mktemp("fresh") / "shop"
    generate_traces(SETTINGS, prefix)
    return Template.open(prefix.with_name("shop-traces.pb"))


def texts(payload: bytes, key: str) -> list[str]:
    return [str(span.attributes[key]) for span in seen(payload) if key in span.attributes]


@given(
    slots=st.lists(st.integers(0, MOST_WORDS - 1), min_size=1, max_size=20, unique=True), before=st.text(max_size=30)
)
@settings(max_examples=100, deadline=None)
def test_placeholders_are_found_with_their_slots(slots: list[int], before: str) -> None:
    made = [row.tobytes().decode() for row in placeholders(np.array(slots)[:, None])]
    assert all(len(text.encode()) == 8 and text.startswith(MARK) for text in made)
    payload = np.frombuffer((before + "".join(made)).encode(), np.uint8)
    place, slot = find(payload, 0, payload.size)
    assert slot.tolist()[-len(slots) :] == slots
    assert place.tolist()[-1] == payload.size - 8


@pytest.mark.parametrize(
    "text", ["", MARK, f"{MARK}0000", f"{MARK}0000w", f"{MARK}ABCDE", "E0000", f"x{MARK[:-1]}00000"]
)
def test_other_text_is_no_placeholder(text: str) -> None:
    payload = np.frombuffer(text.encode(), np.uint8)
    assert not find(payload, 0, payload.size)[0].size


def test_text_that_only_looks_like_it_stays_as_it_is() -> None:
    """Whoever writes placeholders leaves no gap between slots."""
    payload = np.frombuffer(f"{MARK}00003".encode(), np.uint8)
    assert values([find(payload, 0, payload.size)], np.array([0, payload.size])) is None
    assert len(DIGITS) == 32


def test_fresh_text_can_be_computed_again_years_later() -> None:
    words = fresh_words(seed=1, replay=2, group=3, words=3)
    assert words.tobytes() == b"7846b18a464986939f6f7437"
    assert fresh_words(1, 2, 3, 2).tobytes() == words.tobytes()[:16]


def test_every_request_has_fresh_text_of_its_own(template: Template) -> None:
    met: set[str] = set()
    for number in range(2 * len(template)):
        sent = sent_request(template, 4, number, T0)
        for key, width in (("span.id", 18), ("some", 24)):
            found = texts(sent, key)
            assert all(HEX.fullmatch(text) and len(text) == width for text in found)
            assert len({*found}) == len(found)
            assert not met & {*found}
            met |= {*found}
        assert MARK.encode() not in sent


def test_the_text_is_that_of_the_slot(template: Template) -> None:
    """What a sender sent can be told from the seed and the number of the request."""
    before, after = template.request(2).payload.tobytes(), sent_request(template, 4, 2 + len(template), T0)
    words = request_values(template, 4, 2 + len(template)).tobytes().decode()
    for key, prefix in (("span.id", 2), ("trace.key", 0), ("some", 0)):
        for old, new in zip(texts(before, key), texts(after, key), strict=True):
            marks = [old[prefix:][place : place + 6] for place in range(0, len(old) - prefix, 6)]
            slots = [int(mark[1:], 32) for mark in marks]
            assert new[prefix:] == "".join(words[8 * slot : 8 * slot + 8] for slot in slots)


def test_a_trace_can_have_one_text(template: Template) -> None:
    by_trace: dict[bytes, set[object]] = {}
    for span in seen(sent_request(template, 4, 0, T0)):
        by_trace.setdefault(span.span.trace_id, set()).add(span.attributes["trace.key"])
    assert {len(found) for found in by_trace.values()} == {1}
    assert len({text for found in by_trace.values() for text in found}) == 8


def test_every_resource_of_a_request_can_have_its_own(template: Template) -> None:
    message = TracesData.FromString(sent_request(template, 4, 0, T0))
    pods = [
        attribute.value.string_value
        for entry in message.resource_spans
        for attribute in entry.resource.attributes
        if attribute.key == "pod"
    ]
    assert len(pods) == len(message.resource_spans) == len(set(pods))
    assert all(HEX.fullmatch(pod) for pod in pods)


def test_an_index_that_is_built_anew_has_the_same_places(template: Template, tmp_path: Path) -> None:
    path = tmp_path / "copy-traces.pb"
    path.write_bytes(template.payload.tobytes())
    for opened in (Template.open(path), Template.open(path), build(template.payload, "bytes")):
        assert opened.values is not None
        assert template.values is not None
        for name in ("offset", "slot", "bounds", "words"):
            assert np.array_equal(getattr(opened.values, name), getattr(template.values, name))
        assert sent_request(opened, 4, 3, T0) == sent_request(template, 4, 3, T0)


def test_what_fresh_text_takes_is_counted(template: Template, tmp_path: Path) -> None:
    metadata = generate_traces(SETTINGS, tmp_path / "shop")
    assert 24 < metadata.fresh_bytes_per_span < 35
    assert template.bytes_in_memory > template.payload.size
