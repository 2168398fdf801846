from __future__ import annotations

import numpy as np
import pytest
from tests.telemetry.otlp import seen

from vivace.telemetry.generate import TraceSettings, generate_traces
from vivace.telemetry.identity import group_words, trace_ids
from vivace.telemetry.patch import Patcher, sent_request
from vivace.telemetry.template import EPOCH_NS, Template

T0 = 1_800_000_000_123_456_789


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    prefix = tmp_path_factory.mktemp("patch") / "shop"
    generate_traces(TraceSettings(profile="small", traces=21, traces_per_request=5, seed=8), prefix)
    return Template.open(prefix.with_name("shop-traces.pb"))


def test_words_can_be_computed_again_years_later() -> None:
    assert [f"{word:016x}" for word in group_words(seed=1, replay=2, group=3, words=3)] == [
        "f7698d5fe19937c1",
        "e29d8c47411bc1e5",
        "981d39871d6e4067",
    ]


def test_words_differ_by_seed_replay_and_group() -> None:
    runs = [group_words(*numbers, words=4).tobytes() for numbers in [(1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1)]]
    assert len(set(runs)) == 4


def test_fewer_words_are_the_first_of_more() -> None:
    assert np.array_equal(group_words(9, 0, 0, 100)[:7], group_words(9, 0, 0, 7))


def test_every_request_has_ids_of_its_own(template: Template) -> None:
    met: set[bytes] = set()
    for number in range(2 * len(template)):
        spans = list(seen(sent_request(template, 4, number, T0)))
        ids = {span.span.span_id for span in spans} | {span.span.trace_id for span in spans}
        assert len(ids) == len(spans) + template.requests.traces[number % len(template)]
        assert not met & ids
        met |= ids
        assert {span.span.trace_id for span in spans} == set(trace_ids(template, 4, number))
        assert len(trace_ids(template, 4, number)) == template.requests.traces[number % len(template)]


def test_only_ids_and_times_change(template: Template) -> None:
    for before, after in zip(
        seen(template.request(1).payload.tobytes()), seen(sent_request(template, 4, 1, T0)), strict=True
    ):
        shift = T0 - EPOCH_NS
        assert after.span.start_time_unix_nano == before.span.start_time_unix_nano + shift
        assert after.span.end_time_unix_nano == before.span.end_time_unix_nano + shift
        for old, new in zip(before.span.events, after.span.events, strict=True):
            assert new.time_unix_nano == old.time_unix_nano + shift
            new.time_unix_nano = old.time_unix_nano
        for name in ("trace_id", "span_id", "parent_span_id"):
            assert bool(getattr(before.span, name)) == bool(getattr(after.span, name))
            setattr(after.span, name, getattr(before.span, name))
        for old_link, new_link in zip(before.span.links, after.span.links, strict=True):
            assert (new_link.trace_id, new_link.span_id) != (old_link.trace_id, old_link.span_id)
            new_link.trace_id, new_link.span_id = old_link.trace_id, old_link.span_id
        after.span.start_time_unix_nano = before.span.start_time_unix_nano
        after.span.end_time_unix_nano = before.span.end_time_unix_nano
        assert after == before


def test_parents_and_links_still_point_to_spans(template: Template) -> None:
    spans = [span.span for number in range(len(template)) for span in seen(sent_request(template, 4, number, T0))]
    trace_of = {span.span_id: span.trace_id for span in spans}
    assert all(trace_of[span.parent_span_id] == span.trace_id for span in spans if span.parent_span_id)
    assert all(trace_of[link.span_id] == link.trace_id for span in spans for link in span.links)


def test_the_earliest_trace_starts_at_t0_and_the_latest_end_is_known(template: Template) -> None:
    spans = [span.span for span in seen(sent_request(template, 4, 2, T0))]
    assert min(span.start_time_unix_nano for span in spans) == T0
    assert max(span.end_time_unix_nano for span in spans) == T0 + template.requests.span_ns[2]


def test_requests_do_not_depend_on_what_was_patched_before(template: Template) -> None:
    patcher = Patcher(template, 4)
    for number in (7, 0, 7, 2, 11):
        assert patcher.patch(number, T0 + number) == sent_request(template, 4, number, T0 + number)


def test_times_before_1970_and_far_away_wrap_as_protobuf_has_them(template: Template) -> None:
    spans = [span.span for span in seen(sent_request(template, 4, 0, t0_ns=0))]
    assert min(span.start_time_unix_nano for span in spans) == 0
