"""A capture becomes a template that replays: valid OTLP with fresh IDs, present times and parents that still refer."""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from tests.telemetry.capture.sample import (
    CAPTURES,
    DEFAULTS,
    EVERY_JSON,
    SENT_NS,
    by_name,
    capture_of,
    imported,
    replayed,
    seen,
    trace,
    values,
)

from vivace.errors import ConfigurationError, OutputError, TemplateError
from vivace.telemetry.capture.capture import CaptureReport
from vivace.telemetry.capture.formats import Format
from vivace.telemetry.capture.settings import CaptureSettings
from vivace.telemetry.identity import trace_ids
from vivace.telemetry.patch import sent_request
from vivace.telemetry.template import EPOCH_NS, Signal, Template

ONE_TRACE_EACH = CaptureSettings(traces_per_request=1)


@pytest.mark.parametrize("anonymise", [False, True])
@pytest.mark.parametrize("name", EVERY_JSON)
def test_a_capture_of_any_format_replays(name: str, anonymise: bool, tmp_path: Path) -> None:
    report = imported(CAPTURES / name, tmp_path, CaptureSettings(anonymise=anonymise, seed=1))
    template = Template.open(report.templates[Signal.TRACES])
    spans = list(seen(replayed(report)))
    assert len(spans) == report.counts.spans == template.requests.items.sum()
    assert template.requests.traces.sum() == report.counts.traces == len({each.span.trace_id for each in spans})
    assert report.requests[Signal.TRACES] == len(template)
    known = {trace_id for number in range(len(template)) for trace_id in trace_ids(template, 7, number)}
    assert {each.span.trace_id for each in spans} == known
    own = {(each.span.trace_id, each.span.span_id) for each in spans}
    referring = [each.span for each in spans if each.span.parent_span_id]
    assert referring
    dangling = [span for span in referring if (span.trace_id, span.parent_span_id) not in own]
    assert len(dangling) == report.counts.orphans


@pytest.mark.parametrize("name", EVERY_JSON)
def test_each_round_and_seed_has_fresh_ids(name: str, tmp_path: Path) -> None:
    report = imported(CAPTURES / name, tmp_path)
    captured = {each.span.trace_id for each in seen(replayed(report))}
    for other in (replayed(report, round_number=1), replayed(report, seed=8)):
        assert captured.isdisjoint(each.span.trace_id for each in seen(other))
    assert captured == {each.span.trace_id for each in seen(replayed(report))}


def test_times_are_kept_relative_to_the_start_of_their_trace(tmp_path: Path) -> None:
    found = by_name(replayed(imported(CAPTURES / "otlp.jsonl", tmp_path)))
    root, child = found["GET /concerts/{concert}"].span, found["reserve seat"].span
    assert root.start_time_unix_nano == SENT_NS
    assert root.end_time_unix_nano == SENT_NS + EPOCH_NS
    assert root.events[0].time_unix_nano == SENT_NS + 300_000_000
    assert child.start_time_unix_nano == SENT_NS + 200_000_000


def test_all_but_ids_and_times_is_kept(tmp_path: Path) -> None:
    found = by_name(replayed(imported(CAPTURES / "otlp.jsonl", tmp_path)))
    root, child = found["GET /concerts/{concert}"], found["reserve seat"]
    assert (root.service, root.scope) == ("ticket-gateway", "io.opentelemetry.http")
    assert (child.service, child.scope) == ("seat-service", "acme.seats")
    assert root.attributes["http.response.status_code"] == 200
    assert child.attributes["acme.seat"] == {"acme.block": "north"}
    assert child.span.status.message == "seat taken by Marlene"
    assert (root.span.kind, root.span.flags, root.span.trace_state) == (2, 257, "acme=t61rcWkgMzE")


def test_oddities_are_kept_and_counted(tmp_path: Path) -> None:
    report = imported(CAPTURES / "otlp.jsonl", tmp_path)
    holds = [each.span for each in seen(replayed(report)) if each.span.name == "expire holds"]
    assert holds[0].span_id == holds[1].span_id
    assert sorted(span.end_time_unix_nano - span.start_time_unix_nano for span in holds) == [-500_000_000, 0]
    assert min(span.end_time_unix_nano for span in holds) >= SENT_NS - EPOCH_NS
    counts = report.counts
    assert (counts.orphans, counts.duplicates, counts.negative_durations, counts.untimed) == (1, 1, 1, 1)
    assert len(report.warnings) == 4
    assert "spans that end before they start: 1; they are kept" in report.warnings


def test_spans_of_a_trace_come_together_from_all_over_the_capture(tmp_path: Path) -> None:
    parts = [
        trace(number, service=f"service-{place}", span_id=(place + 1).to_bytes(8, "big"))
        for place in range(3)
        for number in range(1, 41)
    ]
    report = imported(capture_of(tmp_path, *parts), tmp_path, ONE_TRACE_EACH)
    assert report.counts.traces == report.requests[Signal.TRACES] == 40
    for message in replayed(report):
        spans = list(seen([message]))
        assert len({each.span.trace_id for each in spans}) == 1
        assert [each.service for each in spans] == ["service-0", "service-1", "service-2"]


@pytest.mark.parametrize("memory_bytes", [1, 5_000, 1 << 20])
def test_a_capture_larger_than_memory_becomes_the_same_traces(memory_bytes: int, tmp_path: Path) -> None:
    """Two halves of each trace stand far apart, and spans wait on disk."""
    halves = [
        trace(number, spans=2, service=f"half-{half}", trace_state=f"n={number}")
        for half in (0, 1)
        for number in range(1, 101)
    ]
    capture = tmp_path / "capture"
    capture.write_bytes(b"".join(capture_of(tmp_path, half).read_bytes() for half in halves))
    report = imported(capture, tmp_path / "out", replace(DEFAULTS, memory_bytes=memory_bytes))
    assert (report.counts.traces, report.counts.spans) == (100, 400)
    by_trace: dict[bytes, Counter[str]] = {}
    for each in seen(replayed(report)):
        by_trace.setdefault(each.span.trace_id, Counter())[f"{each.service} {each.span.trace_state}"] += 1
    assert len(by_trace) == 100
    assert all(sorted(counter.values()) == [2, 2] for counter in by_trace.values())
    assert all(len({key.split()[1] for key in counter}) == 1 for counter in by_trace.values())
    assert not list((tmp_path / "out").glob(".capture-*"))


def test_links_to_traces_that_are_not_in_the_capture_get_fresh_ids_too(tmp_path: Path) -> None:
    report = imported(CAPTURES / "otlp.jsonl", tmp_path)
    (link,) = by_name(replayed(report))["reserve seat"].span.links
    assert link.trace_id.hex() != "0af7651916cd43dd8448eb211c80319c"
    assert link.trace_id not in {each.span.trace_id for each in seen(replayed(report))}
    (again,) = by_name(replayed(report, round_number=1))["reserve seat"].span.links
    assert (again.trace_id, again.span_id) != (link.trace_id, link.span_id)


def test_links_within_a_request_still_refer(tmp_path: Path) -> None:
    first, second = trace(1, spans=2), trace(2)
    second.scope_spans[0].spans[0].links.add(trace_id=(1).to_bytes(16, "big"), span_id=(2).to_bytes(8, "big"))
    found = by_name(replayed(imported(capture_of(tmp_path, first, second), tmp_path)))
    (link,) = found["work 2-0"].span.links
    assert (link.trace_id, link.span_id) == (found["work 1-1"].span.trace_id, found["work 1-1"].span.span_id)
    assert found["work 1-0"].span.span_id != found["work 2-0"].span.span_id


def test_metrics_and_logs_become_templates_of_their_own(tmp_path: Path) -> None:
    report = imported(CAPTURES / "otlp.jsonl", tmp_path)
    assert report.formats == (Format.OTLP_JSON,)
    assert (report.counts.data_points, report.counts.log_records) == (2, 2)
    metrics = MetricsData.FromString(report.templates[Signal.METRICS].read_bytes())
    gauge, histogram = metrics.resource_metrics[0].scope_metrics[0].metrics
    point = histogram.histogram.data_points[0]
    assert (point.start_time_unix_nano, point.time_unix_nano) == (EPOCH_NS, 71 * EPOCH_NS)
    assert point.exemplars[0].time_unix_nano == 62 * EPOCH_NS
    assert gauge.gauge.data_points[0].time_unix_nano == 71 * EPOCH_NS
    logs = LogsData.FromString(report.templates[Signal.LOGS].read_bytes())
    assert values(logs.resource_logs[0].resource.attributes) == {"service.name": "seat-service"}
    first, second = logs.resource_logs[0].scope_logs[0].log_records
    assert (first.time_unix_nano, second.time_unix_nano) == (EPOCH_NS + 100_000_000, EPOCH_NS)
    assert first.observed_time_unix_nano == EPOCH_NS + 200_000_000
    assert first.body.string_value == "Seat 12 of Marlene is taken"
    assert (len(first.trace_id), len(first.span_id), second.trace_id) == (16, 8, b"")
    assert first.trace_id.hex() != "5b8efff798038103d269b633813fc60c"


def test_log_records_become_requests_with_the_spacing_they_had(tmp_path: Path) -> None:
    logs = LogsData()
    records = logs.resource_logs.add().scope_logs.add().log_records
    for number in range(2500):
        records.add(time_unix_nano=1000 + number).body.string_value = f"line {number}"
    capture = tmp_path / "logs.pb"
    capture.write_bytes(logs.SerializeToString())
    report = imported(capture, tmp_path)
    assert report.requests == {Signal.LOGS: 3}
    sent = sent_logs(report)
    assert [len(message.resource_logs[0].scope_logs[0].log_records) for message in sent] == [1000, 1000, 500]
    times = [record.time_unix_nano - SENT_NS for record in log_records(sent)]
    assert times == [*range(1000), *range(1000), *range(500)]


def test_logs_and_exemplars_refer_to_the_spans_that_they_did(tmp_path: Path) -> None:
    """In every round of a replay with the same seed, also across requests."""
    entries = [trace(number, spans=2) for number in range(1, 31)]
    traces = TracesData(resource_spans=entries).SerializeToString()
    logs, metrics = LogsData(), MetricsData()
    records = logs.resource_logs.add().scope_logs.add().log_records
    points = metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="m").gauge.data_points
    for number in (17, 3, 29, 17):
        identity = {"trace_id": number.to_bytes(16, "big"), "span_id": (2).to_bytes(8, "big")}
        records.add(time_unix_nano=5, **identity).body.string_value = f"work {number}-1"
        points.add(time_unix_nano=5).exemplars.add(**identity)
    records.add(time_unix_nano=5, trace_id=b"elsewhere".ljust(16), span_id=b"unknown!")
    records.add(time_unix_nano=5, trace_id=(3).to_bytes(16, "big"), span_id=b"unknown!")
    capture = tmp_path / "capture"
    messages = (logs.SerializeToString(), traces, metrics.SerializeToString())
    capture.write_bytes(b"".join(struct.pack(">I", len(message)) + message for message in messages))
    report = imported(capture, tmp_path, CaptureSettings(traces_per_request=4))
    for round_number in (0, 1):
        found = by_name(replayed(report, round_number=round_number))
        own = {name: (each.span.trace_id, each.span.span_id) for name, each in found.items()}
        sent = list(log_records(sent_logs(report, round_number)))
        referring, (elsewhere, unknown) = sent[:4], sent[4:]
        assert [(record.trace_id, record.span_id) for record in referring] == [
            own[record.body.string_value] for record in referring
        ]
        assert elsewhere.trace_id not in {trace_id for trace_id, _ in own.values()}
        assert unknown.trace_id == own["work 3-0"][0]
        assert unknown.span_id not in {span_id for _, span_id in own.values()}
        data = sent_request(Template.open(report.templates[Signal.METRICS]), 7, round_number, SENT_NS)
        sent_points = MetricsData.FromString(data).resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points
        exemplars = [point.exemplars[0] for point in sent_points]
        assert [(each.trace_id, each.span_id) for each in exemplars] == [
            (record.trace_id, record.span_id) for record in referring
        ]


def test_logs_never_refer_to_other_spans_than_they_did(tmp_path: Path) -> None:
    """Also where links lead out of the capture, where an index may cut requests otherwise than they were written."""
    entries = [trace(number, service=f"service-{number}") for number in range(1, 21)]
    entries[4].scope_spans[0].spans[0].links.add(trace_id=b"elsewhere".ljust(16), span_id=b"unknown!")
    logs = LogsData()
    records = logs.resource_logs.add().scope_logs.add().log_records
    for number in range(1, 21):
        identity = {"trace_id": number.to_bytes(16, "big"), "span_id": (1).to_bytes(8, "big")}
        records.add(time_unix_nano=5, **identity).body.string_value = f"work {number}-0"
    capture = tmp_path / "capture"
    messages = (TracesData(resource_spans=entries).SerializeToString(), logs.SerializeToString())
    capture.write_bytes(b"".join(struct.pack(">I", len(message)) + message for message in messages))
    report = imported(capture, tmp_path, CaptureSettings(traces_per_request=6))
    found = by_name(replayed(report))
    names = {name: text for text, each in found.items() for name in (each.span.trace_id, each.span.span_id)}
    sent = list(log_records(sent_logs(report)))
    assert len(sent) == 20
    for record in sent:
        own = record.body.string_value
        assert {names.get(record.trace_id, own), names.get(record.span_id, own)} == {own}


def test_metrics_without_data_are_left_out(tmp_path: Path) -> None:
    document = json.loads((CAPTURES / "otlp.jsonl").read_text().splitlines()[3])
    metrics = document["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    metrics.insert(0, {"name": "empty", "sum": {"dataPoints": []}})
    capture = tmp_path / "metrics.json"
    capture.write_text(json.dumps(document))
    report = imported(capture, tmp_path)
    sent = MetricsData.FromString(report.templates[Signal.METRICS].read_bytes())
    assert [metric.name for metric in sent.resource_metrics[0].scope_metrics[0].metrics] == [
        "acme.seats.held",
        "http.server.request.duration",
    ]
    del metrics[1:]
    capture.write_text(json.dumps(document))
    with pytest.raises(TemplateError, match="holds no telemetry"):
        imported(capture, tmp_path)


def test_ids_of_logs_that_are_no_ids_are_cleared(tmp_path: Path) -> None:
    logs = LogsData()
    records = logs.resource_logs.add().scope_logs.add().log_records
    records.add(time_unix_nano=5, trace_id=b"short", span_id=b"12345678")
    records.add(time_unix_nano=5, trace_id=b"t" * 16, span_id=b"\0" * 8)
    capture = tmp_path / "logs.pb"
    capture.write_bytes(logs.SerializeToString())
    first, second = log_records(sent_logs(imported(capture, tmp_path)))
    assert (first.trace_id, first.span_id, second.span_id) == (b"", b"", b"")
    assert second.trace_id not in {b"", b"t" * 16}


def sent_logs(report: CaptureReport, round_number: int = 0) -> list[LogsData]:
    template = Template.open(report.templates[Signal.LOGS])
    first = round_number * len(template)
    return [LogsData.FromString(sent_request(template, 7, first + n, SENT_NS)) for n in range(len(template))]


def log_records(messages: list[LogsData]) -> Iterator[LogRecord]:
    for message in messages:
        for entry in message.resource_logs:
            for scope in entry.scope_logs:
                yield from scope.log_records


def test_traces_may_be_absent(tmp_path: Path) -> None:
    lines = (CAPTURES / "otlp.jsonl").read_text().splitlines()
    capture = tmp_path / "capture"
    capture.write_text(lines[3])
    assert imported(capture, tmp_path).templates.keys() == {Signal.METRICS}


def test_an_import_replaces_the_one_before(tmp_path: Path) -> None:
    imported(CAPTURES / "otlp.json", tmp_path)
    report = imported(CAPTURES / "zipkin.json", tmp_path)
    assert len(list(seen(replayed(report)))) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["import-traces.index", "import-traces.pb"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(OutputError, match=r"out: cannot be written: .*; choose another folder or make room"):
        imported(CAPTURES / "otlp.json", tmp_path / "out")


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"traces_per_request": 0}, "traces_per_request: 0 lets nothing in; give 1 or more"),
        ({"spans_per_request": 0}, "spans_per_request: 0"),
        ({"bytes_per_request": -1}, "bytes_per_request: -1"),
        ({"memory_bytes": 0}, "memory_bytes: 0"),
        ({"document_bytes": 0}, "document_bytes: 0"),
        ({"seed": -1}, "seed: -1 does not fit"),
        ({"seed": 1 << 64}, "seed: "),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, int], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        CaptureSettings(**settings)  # type: ignore[arg-type]


def test_all_that_is_wrong_with_settings_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as refused:
        CaptureSettings(spans_per_request=0, memory_bytes=0, seed=-1)
    assert len(str(refused.value).splitlines()) == 3
