"""Traces become requests: whole, within bounds, resource by resource, their times from 1 s on."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, TracesData
from tests.telemetry.capture.sample import DEFAULTS, SENT_NS, capture_of, imported, replayed, seen, trace

from vivace.telemetry.capture.contexts import Contexts
from vivace.telemetry.capture.counts import Counts
from vivace.telemetry.capture.mentions import Mentions
from vivace.telemetry.capture.normalise import Normaliser, grouped
from vivace.telemetry.capture.spool import Spool, Trace
from vivace.telemetry.template import EPOCH_NS, Signal, Template

START = 1_700_000_000 * EPOCH_NS


def traces_of(folder: Path, *messages: TracesData) -> tuple[list[Trace], Contexts]:
    spool = Spool(folder, 1 << 20, Counts())
    for message in messages:
        spool.add(message)
    (part,) = spool.parts()
    return part, spool.contexts


def normalised(spans: list[Span], counts: Counts | None = None, earliest: int | None = None) -> list[Span]:
    """Spans of one trace as they stand in a template."""
    message = TracesData()
    message.resource_spans.add().scope_spans.add().spans.extend(spans)
    traces, contexts = traces_of(Path(), message)
    data = Normaliser(contexts, Mentions(), counts or Counts(), earliest).request(0, traces)
    return list(TracesData.FromString(data).resource_spans[0].scope_spans[0].spans)


def span(number: int = 1, **fields: object) -> Span:
    made = Span(trace_id=b"t" * 16, span_id=number.to_bytes(8, "big"))
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("change", "sizes"),
    [
        ({"traces_per_request": 3}, [3, 3, 3, 1]),
        ({"traces_per_request": 100}, [10]),
        ({"spans_per_request": 20}, [4, 4, 2]),
        ({"spans_per_request": 1}, [1] * 10),
        ({"bytes_per_request": 1}, [1] * 10),
        ({"traces_per_request": 4, "spans_per_request": 10}, [2] * 5),
    ],
)
def test_a_request_holds_as_many_traces_as_the_bounds_let_in(
    change: dict[str, int], sizes: list[int], tmp_path: Path
) -> None:
    message = TracesData(resource_spans=[trace(number, spans=5) for number in range(1, 11)])
    traces, contexts = traces_of(tmp_path, message)
    groups = list(grouped(traces, contexts, replace(DEFAULTS, **change)))  # type: ignore[arg-type]
    assert [len(group) for group in groups] == sizes
    assert [each for group in groups for each in group] == traces


def test_a_request_stays_below_the_bound_on_bytes(tmp_path: Path) -> None:
    message = TracesData(resource_spans=[trace(number, spans=5, service=f"s{number % 7}") for number in range(1, 200)])
    traces, contexts = traces_of(tmp_path, message)
    groups = list(grouped(traces, contexts, replace(DEFAULTS, bytes_per_request=5000)))
    normaliser = Normaliser(contexts, Mentions(), Counts())
    requests = [normaliser.request(number, group) for number, group in enumerate(groups)]
    assert max(map(len, requests)) <= 5000
    assert min(map(len, requests[:-1])) > 3500


def test_resources_and_scopes_stand_once_in_a_request(tmp_path: Path) -> None:
    entries = [trace(number, service=f"service-{number % 2}") for number in range(1, 9)]
    report = imported(capture_of(tmp_path, *entries), tmp_path)
    (message,) = replayed(report)
    assert [len(entry.scope_spans) for entry in message.resource_spans] == [1, 1]
    assert [len(entry.scope_spans[0].spans) for entry in message.resource_spans] == [4, 4]


def test_each_trace_starts_at_one_second_unless_the_spacing_is_kept(tmp_path: Path) -> None:
    entries = [trace(number, start=START + number * EPOCH_NS) for number in (3, 1, 2)]
    capture = capture_of(tmp_path, *entries)
    together = seen(replayed(imported(capture, tmp_path)))
    assert {each.span.start_time_unix_nano for each in together} == {SENT_NS}
    spaced = seen(replayed(imported(capture, tmp_path, replace(DEFAULTS, keep_spacing=True))))
    assert [each.span.start_time_unix_nano - SENT_NS for each in spaced] == [0, EPOCH_NS, 2 * EPOCH_NS]
    assert [each.span.name for each in seen(replayed(imported(capture, tmp_path)))] == [
        "work 1-0",
        "work 2-0",
        "work 3-0",
    ]


def test_replay_ends_now_however_long_a_trace_is(tmp_path: Path) -> None:
    long = trace(1, end_time_unix_nano=START + 7200 * EPOCH_NS)
    report = imported(capture_of(tmp_path, long), tmp_path)
    assert Template.open(report.templates[Signal.TRACES]).requests.span_ns.tolist() == [7200 * EPOCH_NS]
    assert report.warnings == ("the longest request covers 7200 s: it is sent with times that long ago",)


def test_the_earliest_time_is_one_second_also_where_a_span_ends_before_it_starts() -> None:
    first, second = normalised(
        [
            span(1, start_time_unix_nano=START, end_time_unix_nano=START + 5),
            span(2, start_time_unix_nano=START + 7, end_time_unix_nano=START - 10 * EPOCH_NS),
        ]
    )
    assert second.end_time_unix_nano == EPOCH_NS
    assert second.start_time_unix_nano - second.end_time_unix_nano == 10 * EPOCH_NS + 7
    assert first.start_time_unix_nano == 11 * EPOCH_NS


@pytest.mark.parametrize("offset", [-EPOCH_NS, -EPOCH_NS - 1, -3600 * EPOCH_NS, 5])
def test_an_event_may_come_before_its_trace(offset: int, tmp_path: Path) -> None:
    entry = trace(1)
    entry.scope_spans[0].spans[0].events.add(time_unix_nano=START + offset, name="early")
    entry.scope_spans[0].spans[0].events.add(name="without time")
    (each,) = seen(replayed(imported(capture_of(tmp_path, entry), tmp_path)))
    early, without = each.span.events
    assert early.time_unix_nano - SENT_NS in {offset, offset + 1}
    assert without.time_unix_nano == 0


@pytest.mark.parametrize(("start", "end"), [(0, START), (START, 0), (0, 0), ((1 << 64) - 1, START)])
def test_a_time_that_is_unknown_is_that_of_the_other_end(start: int, end: int) -> None:
    counts = Counts()
    (only,) = normalised([span(start_time_unix_nano=start, end_time_unix_nano=end)], counts)
    assert (only.start_time_unix_nano, only.end_time_unix_nano) == (EPOCH_NS, EPOCH_NS)
    assert counts.untimed == 1


def test_a_span_without_times_starts_with_its_trace() -> None:
    spans = normalised([span(1, start_time_unix_nano=START, end_time_unix_nano=START + 9), span(2)], earliest=START - 5)
    assert [each.start_time_unix_nano for each in spans] == [EPOCH_NS + 5, EPOCH_NS]


@pytest.mark.parametrize(
    ("field", "value"),
    [("trace_id", b""), ("trace_id", b"\0" * 16), ("trace_id", b"t" * 8), ("span_id", b""), ("span_id", b"\0" * 8)],
)
def test_a_span_without_valid_ids_is_left_out_and_counted(field: str, value: bytes, tmp_path: Path) -> None:
    broken = trace(1)
    setattr(broken.scope_spans[0].spans[0], field, value)
    report = imported(capture_of(tmp_path, broken, trace(2)), tmp_path)
    assert (report.counts.spans, report.counts.spans_without_id) == (1, 1)
    assert report.warnings == ("spans without a valid trace ID and span ID: 1; they are left out",)
    assert [each.span.name for each in seen(replayed(report))] == ["work 2-0"]


@pytest.mark.parametrize("parent", [b"\0" * 8, b"abc"])
def test_a_parent_that_is_no_id_is_none(parent: bytes, tmp_path: Path) -> None:
    report = imported(capture_of(tmp_path, trace(1, parent_span_id=parent)), tmp_path)
    (each,) = seen(replayed(report))
    assert each.span.parent_span_id == b""
    assert report.counts.orphans == 0


def test_a_link_without_valid_ids_is_left_out_and_counted(tmp_path: Path) -> None:
    entry = trace(1)
    links = entry.scope_spans[0].spans[0].links
    links.add(trace_id=b"t" * 16, span_id=b"\0" * 8)
    links.add(trace_id=b"u" * 16, span_id=b"u" * 8, trace_state="kept")
    links.add()
    report = imported(capture_of(tmp_path, entry), tmp_path)
    (each,) = seen(replayed(report))
    assert [link.trace_state for link in each.span.links] == ["kept"]
    assert each.span.dropped_links_count == report.counts.links_without_id == 2


def test_a_span_that_is_its_own_parent_stays_so(tmp_path: Path) -> None:
    report = imported(capture_of(tmp_path, trace(1, parent_span_id=(1).to_bytes(8, "big"))), tmp_path)
    (each,) = seen(replayed(report))
    assert each.span.parent_span_id == each.span.span_id
    assert report.counts.orphans == 0


def test_a_trace_larger_than_receivers_accept_is_told(tmp_path: Path) -> None:
    report = imported(capture_of(tmp_path, trace(1, spans=5, name="n" * 1_000_000)), tmp_path)
    assert report.counts.large_requests == 1
    assert report.warnings == ("requests of over 4 MiB: 1; many receivers refuse them",)


relations = st.lists(
    st.tuples(
        st.integers(1, 4),  # trace
        st.integers(1, 5),  # span
        st.integers(0, 6),  # parent, which may be none or in no trace
        st.integers(0, 6),  # trace that is linked to, 0 for none
    ),
    min_size=1,
    max_size=25,
)


class Identified(NamedTuple):
    """The IDs of a span, each with its trace's."""

    own: tuple[bytes, bytes]
    parent: tuple[bytes, bytes] | None
    link: tuple[bytes, bytes] | None


@settings(max_examples=60, deadline=None)
@given(relations=relations, per_request=st.integers(1, 3))
def test_equal_ids_stay_equal_and_others_differ(
    relations: list[tuple[int, int, int, int]], per_request: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Replay relabels the IDs of each request one to one, and links to other requests' traces lead nowhere."""
    folder = tmp_path_factory.mktemp("relations")
    entries = [_entry(number, *relation) for number, relation in enumerate(relations)]
    report = imported(capture_of(folder, *entries), folder, replace(DEFAULTS, traces_per_request=per_request))
    template = Template.open(report.templates[Signal.TRACES])
    assert template.requests.traces.sum() == len({relation[0] for relation in relations})
    captured = _identified(TracesData(resource_spans=entries))
    requests = [_identified(message) for message in replayed(report)]
    place = {name: number for number, found in enumerate(requests) for name in found}
    sent = {name: ids for found in requests for name, ids in found.items()}
    assert sent.keys() == captured.keys()
    for one, other in product(captured, repeat=2):
        before, after = (captured[one], captured[other]), (sent[one], sent[other])
        assert (before[0].own[0] == before[1].own[0]) == (after[0].own[0] == after[1].own[0])
        assert (before[0].own == before[1].own) == (after[0].own == after[1].own)
        assert (before[0].parent == before[1].own) == (after[0].parent == after[1].own)
        linked = before[0].link == before[1].own and place[one] == place[other]
        assert linked == (after[0].link == after[1].own)


def _entry(number: int, trace_number: int, span_number: int, parent: int, linked: int) -> ResourceSpans:
    entry = trace(
        trace_number,
        service=f"service-{(trace_number + span_number) % 3}",
        name=str(number),
        span_id=span_number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
    )
    if linked:
        entry.scope_spans[0].spans[0].links.add(trace_id=linked.to_bytes(16, "big"), span_id=(1).to_bytes(8, "big"))
    return entry


def _identified(message: TracesData) -> dict[str, Identified]:
    """By the name of each span."""
    found = {}
    for each in seen([message]):
        one = each.span
        parent = (one.trace_id, one.parent_span_id) if one.parent_span_id else None
        link = (one.links[0].trace_id, one.links[0].span_id) if one.links else None
        found[one.name] = Identified((one.trace_id, one.span_id), parent, link)
    return found
