"""Disorder follows from the seed, is read by the protobuf library as it is counted, and can be made again."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData
from tests.send.templates import write_template

from vivace.send.contents import Contents, Times
from vivace.send.disorder import Disorder, Kind
from vivace.send.turns import Turn, Turns
from vivace.telemetry.template import Template

T0 = 1_700_000_000_000_000_000
S = 1_000_000_000


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return Template.open(write_template(tmp_path_factory.mktemp("template")))


def contents(template: Template, times: Times | None = None, **disorder: float) -> Contents:
    return Contents(template, 9, Disorder(**disorder), times or Times())


def spans_of(payload: bytes) -> list[Span]:
    data = TracesData.FromString(payload)
    return [span for entry in data.resource_spans for scope in entry.scope_spans for span in scope.spans]


def test_shares_are_as_wanted_and_the_seed_decides(template: Template) -> None:
    shares = {"duplicate": 0.1, "late": 0.2, "reordered": 0.05, "skewed": 0.15, "incomplete": 0.1}
    numbers = range(20_000)
    made = Contents(template, 9, Disorder(**shares), Times())
    kinds = [made.kind(number) for number in numbers]
    counts = Counter(kinds)
    for kind, share in shares.items():
        assert counts[Kind(kind)] / len(kinds) == pytest.approx(share, abs=0.02)
    again = Contents(template, 9, Disorder(**shares), Times())
    assert [again.kind(number) for number in numbers] == kinds
    other = Contents(template, 10, Disorder(**shares), Times())
    assert [other.kind(number) for number in numbers] != kinds


@given(st.integers(0, 10**6), st.floats(0.01, 0.99))
@settings(deadline=None)
def test_missing_spans_are_not_there_and_the_others_are_as_they_were(
    template: Template, number: int, missing: float
) -> None:
    whole, some = contents(template), contents(template, incomplete=1.0, missing=missing)
    before, after = spans_of(whole.payload(number, T0)), spans_of(some.payload(number, T0))
    assert some.kind(number) is Kind.INCOMPLETE
    assert 0 < len(after) == some.describe(number).items < len(before)
    kept = {span.span_id for span in after}
    assert after == [span for span in before if span.span_id in kept]
    assert len(some.payload(number, T0)) == some.describe(number).size


@given(st.integers(0, 10**6))
@settings(deadline=None)
def test_a_skewed_clock_moves_all_times_of_a_resource_alike(template: Template, number: int) -> None:
    skewed = contents(template, skewed=1.0, skewed_by_s=30.0)
    pairs = zip(spans_of(contents(template).payload(number, T0)), spans_of(skewed.payload(number, T0)), strict=True)
    moved = {
        (after.start_time_unix_nano - before.start_time_unix_nano, after.end_time_unix_nano - before.end_time_unix_nano)
        for before, after in pairs
    }
    [(start, end)] = moved
    assert start == end != 0
    assert abs(start) <= 30 * S


def test_late_requests_are_old(template: Template) -> None:
    late, punctual = contents(template, late=1.0, late_by_s=120.0), contents(template)
    assert punctual.t0_ns(3, T0) - late.t0_ns(3, T0) == 120 * S


def test_jitter_and_backdating_move_a_request(template: Template) -> None:
    moved = contents(template, Times(jitter_ms=100, backdate_ms=5000))
    offsets = {moved.t0_ns(number, T0) - contents(template).t0_ns(number, T0) + 5 * S for number in range(50)}
    assert len(offsets) == 50
    assert 0 <= min(offsets) < max(offsets) < S // 10


def test_each_log_record_has_its_own_jitter(tmp_path: Path) -> None:
    logs = LogsData()
    scope = logs.resource_logs.add().scope_logs.add()
    for record in range(30):
        time = S + record * 1000
        scope.log_records.add(time_unix_nano=time, observed_time_unix_nano=time)
    path = tmp_path / "some-logs.pb"
    path.write_bytes(logs.SerializeToString())
    made = contents(Template.open(path), Times(jitter_ms=50))
    [again, payload] = [made.payload(4, T0) for _ in range(2)]
    records = LogsData.FromString(payload).resource_logs[0].scope_logs[0].log_records
    jitter = [record.time_unix_nano - T0 - number * 1000 for number, record in enumerate(records)]
    assert payload == again
    assert all(record.time_unix_nano == record.observed_time_unix_nano for record in records)
    assert len(set(jitter)) == 30
    assert 0 <= min(jitter) < max(jitter) < 50_000_000


@given(st.lists(st.integers(0, 3 * S), min_size=1, max_size=60), st.floats(0, 1), st.floats(0.1, 5))
@settings(deadline=None)
def test_every_request_has_one_turn_and_turns_ascend(
    template: Template, pauses: list[int], share: float, held_s: float
) -> None:
    dues, due = [], T0
    for number, pause in enumerate(pauses):
        due += pause
        dues.append((number, due))
    made = contents(template, reordered=share)
    turns = list(Turns(dues, made, held_s))
    assert sorted(turn.number for turn in turns) == [number for number, _ in dues]
    assert all(before.due_ns <= after.due_ns for before, after in pairwise(turns))
    own = dict(dues)
    assert all(turn.happened_ns == own[turn.number] for turn in turns)
    assert all(turn.due_ns == own[turn.number] for turn in turns if turn.kind is None)
    ends = turns[-1].due_ns
    held = [turn for turn in turns if turn.kind is Kind.REORDERED]
    assert all(turn.due_ns >= min(turn.happened_ns + held_s * 1e9 - 1, ends) for turn in held)


def test_what_is_held_back_when_it_ends_can_be_asked_for(template: Template) -> None:
    turns = Turns([(number, T0) for number in range(5)], contents(template, reordered=1.0), 1.0)
    iterator = iter(turns)
    assert next(iterator) == Turn(0, T0, T0, Kind.REORDERED)
    assert [turn.number for turn in turns.rest()] == [1, 2, 3, 4]
