from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

from vivace.errors import TemplateError
from vivace.telemetry import slots
from vivace.telemetry.generate import TraceSettings, generate_traces
from vivace.telemetry.identity import trace_ids
from vivace.telemetry.patch import sent_request
from vivace.telemetry.places import build
from vivace.telemetry.template import EPOCH_NS, Template

T0 = 1_800_000_000_000_000_000
ARRAYS = ("payload", "id_offset", "id_slot", "id_bounds", "time_offset", "time_value", "time_bounds")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    generate_traces(TraceSettings(profile="small", traces=25, traces_per_request=10, seed=3), tmp_path / "shop")
    return tmp_path / "shop-traces.pb"


def same(one: Template, other: Template) -> bool:
    requests = all(
        np.array_equal(getattr(one.requests, name), getattr(other.requests, name))
        for name in ("start", "stop", "items", "traces", "group", "words", "span_ns")
    )
    return requests and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ARRAYS)


def spans_of(payload: bytes) -> list[Span]:
    return [
        span
        for entry in TracesData.FromString(payload).resource_spans
        for scope in entry.scope_spans
        for span in scope.spans
    ]


def captured(traces: list[list[Span]]) -> bytes:
    """A file with one entry for each list."""
    entries = [ResourceSpans(scope_spans=[ScopeSpans(spans=spans)]) for spans in traces]
    return TracesData(resource_spans=entries).SerializeToString()


def span(trace: int, number: int, parent: int | None = None, start: int = T0, **fields: object) -> Span:
    return Span(
        trace_id=trace.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        parent_span_id=b"" if parent is None else parent.to_bytes(8, "big"),
        start_time_unix_nano=start,
        end_time_unix_nano=start + 1000,
        **fields,  # type: ignore[arg-type]
    )


def test_opens_what_was_generated(path: Path) -> None:
    template = Template.open(path)
    assert len(template) == len(template.requests) == 3
    assert template.requests.traces.tolist() == [10, 10, 5]
    assert template.requests.group.tolist() == [0, 1, 2]
    assert template.requests.start[0] == 0
    assert template.requests.stop[-1] == path.stat().st_size
    assert np.array_equal(template.requests.stop[:-1], template.requests.start[1:])
    for number in range(3):
        spans = spans_of(template.request(number).payload.tobytes())
        assert len(spans) == template.requests.items[number]
        assert min(span.start_time_unix_nano for span in spans) == EPOCH_NS
        assert max(span.end_time_unix_nano for span in spans) - EPOCH_NS == template.requests.span_ns[number]
    assert template.bytes_in_memory > template.payload.size


def test_the_index_is_memory_mapped_and_used(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the index was made again")

    monkeypatch.setattr("vivace.telemetry.index.build", never)
    template = Template.open(path)
    assert not template.id_slot.flags.owndata
    assert not template.payload.flags.writeable


def test_a_missing_index_is_made_again(path: Path) -> None:
    before = Template.open(path)
    path.with_suffix(".index").unlink()
    assert same(Template.open(path), before)
    assert path.with_suffix(".index").exists()


def test_an_index_of_other_bytes_is_made_again(path: Path) -> None:
    old = path.with_suffix(".index").read_bytes()
    shorter = path.read_bytes()[: Template.open(path).requests.stop[1]]
    path.unlink()
    path.write_bytes(shorter)
    os.utime(path, ns=(1, 1))
    template = Template.open(path)
    assert len(template) == 2
    assert path.with_suffix(".index").read_bytes() != old
    assert same(Template.open(path), template)


def test_a_damaged_index_is_made_again(path: Path) -> None:
    before = Template.open(path)
    path.with_suffix(".index").unlink()  # what is mapped stays readable
    path.with_suffix(".index").write_bytes(b"ARROW1 no more")
    assert same(Template.open(path), before)


def test_where_no_index_can_be_written_it_lives_in_memory(path: Path) -> None:
    before = Template.open(path)
    path.with_suffix(".index").unlink()
    path.with_suffix(".index").mkdir()
    assert same(Template.open(path), before)
    assert sorted(entry.name for entry in path.parent.iterdir()) == [
        "shop-metadata.yaml",
        "shop-traces.index",
        "shop-traces.pb",
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"not protobuf at all", "not OTLP, or truncated"),
        (captured([]) or b"\x0a\x00", "holds no spans"),
        (captured([[span(1, 1)]])[:-3], "not OTLP, or truncated"),
        (captured([[span(1, 1, name="aaaa")]]).replace(b"aaaa", b"\xff\xfe\xfd\xfc"), "not OTLP: "),
        (captured([[Span(trace_id=b"t" * 16, span_id=b"s" * 8)]]), "start is missing"),
    ],
)
def test_refuses_other_files(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "x-traces.pb"
    path.write_bytes(content)
    with pytest.raises(TemplateError, match=reason) as caught:
        Template.open(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"absent-traces.pb: cannot be read: No such file.*vivace generate"):
        Template.open(tmp_path / "absent-traces.pb")


def test_captured_times_count_from_the_earliest_start(tmp_path: Path) -> None:
    path = tmp_path / "captured.pb"
    event = Span.Event(time_unix_nano=T0 + 7, name="early")
    path.write_bytes(captured([[span(1, 1, start=T0 + 50), span(1, 2, 1, start=T0 + 90, events=[event])]]))
    first, second = spans_of(sent_request(Template.open(path), seed=1, number=0, t0_ns=5_000))
    assert (first.start_time_unix_nano, first.end_time_unix_nano) == (5_000, 6_000)
    assert (second.start_time_unix_nano, second.end_time_unix_nano) == (5_040, 6_040)
    assert second.events[0].time_unix_nano == 5_000 - 43


def test_entries_that_share_a_trace_stay_together() -> None:
    payload = captured([[span(1, 1)], [span(2, 2)], [span(1, 3, 1)], [], [span(4, 4)], [span(5, 5), span(5, 6, 5)]])
    template = build(np.frombuffer(payload, np.uint8), "captured")
    assert template.requests.items.tolist() == [3, 1, 2]
    assert template.requests.traces.tolist() == [2, 1, 1]
    assert template.requests.words.tolist() == [7, 3, 4]


captures = st.lists(
    st.lists(
        st.builds(
            lambda trace, number, parent, link: span(
                trace,
                number,
                parent,
                links=[Span.Link(trace_id=link[0].to_bytes(16, "big"), span_id=link[1].to_bytes(8, "big"))]
                if link
                else [],
            ),
            st.integers(1, 6),
            st.integers(1, 9),
            st.none() | st.integers(1, 12),
            st.none() | st.tuples(st.integers(1, 9), st.integers(1, 12)),
        ),
        max_size=4,
    ),
    min_size=1,
    max_size=6,
)


@given(captures.filter(any))
@settings(max_examples=150, deadline=None)
def test_equal_ids_stay_equal_and_others_differ(traces: list[list[Span]]) -> None:
    template = build(np.frombuffer(captured(traces), np.uint8), "captured")
    met: set[bytes] = set()
    for number in range(len(template)):
        original = spans_of(template.request(number).payload.tobytes())
        sent = spans_of(sent_request(template, seed=5, number=number, t0_ns=T0))
        fresh: dict[bytes, bytes] = {}
        for before, after in zip(original, sent, strict=True):
            pairs = [(before.trace_id, after.trace_id), (before.span_id, after.span_id)]
            pairs += [(before.parent_span_id, after.parent_span_id)] if before.parent_span_id else []
            pairs += [(a.trace_id, b.trace_id) for a, b in zip(before.links, after.links, strict=True)]
            pairs += [(a.span_id, b.span_id) for a, b in zip(before.links, after.links, strict=True)]
            assert bool(before.parent_span_id) == bool(after.parent_span_id)
            for old, new in pairs:
                assert fresh.setdefault(old, new) == new
        assert len(set(fresh.values())) == len(fresh)
        assert not met & set(fresh.values())
        met |= set(fresh.values())
        assert set(trace_ids(template, 5, number)) == {after.trace_id for after in sent}


def test_generated_ids_need_no_comparing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Template.open(path)
    payload = np.fromfile(path, np.uint8)
    monkeypatch.setattr(slots, "_compared", lambda *_: None)
    assert same(build(payload, "again"), before)
