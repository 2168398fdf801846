from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
    Summary,
    SummaryDataPoint,
)

from vivace.errors import TemplateError
from vivace.telemetry import items, wire
from vivace.telemetry.identity import group_words
from vivace.telemetry.items import build_items
from vivace.telemetry.patch import sent_request
from vivace.telemetry.slots import OWN_GROUPS, marked_words
from vivace.telemetry.template import EPOCH_NS, Signal, Template

T0 = 1_800_000_000_000_000_000
Message = MetricsData | LogsData
DATA: dict[Signal, type[Message]] = {Signal.METRICS: MetricsData, Signal.LOGS: LogsData}

texts = st.text(max_size=120)
instants = st.integers(0, 2**64 - 1)
trace_ids = st.sampled_from([b"", b"\0" * 16, b"a" * 16, b"b" * 8 + b"a" * 8, b"c" * 16])
span_ids = st.sampled_from([b"", b"\0" * 8, b"s" * 8, b"t" * 8])
exemplars = st.lists(
    st.builds(Exemplar, time_unix_nano=instants, as_double=st.floats(), span_id=span_ids, trace_id=trace_ids),
    max_size=2,
)
times = {"start_time_unix_nano": instants, "time_unix_nano": instants}
numbers = st.builds(NumberDataPoint, **times, as_int=st.integers(-9, 9), exemplars=exemplars)
histograms = st.builds(
    HistogramDataPoint,
    **times,
    count=instants,
    bucket_counts=st.lists(instants, max_size=4),
    explicit_bounds=st.lists(st.floats(), max_size=3),
    exemplars=exemplars,
)
exponentials = st.builds(ExponentialHistogramDataPoint, **times, scale=st.integers(-4, 9), exemplars=exemplars)
summaries = st.builds(SummaryDataPoint, **times, count=instants)
metrics = st.one_of(
    st.builds(Metric, name=texts, unit=texts),
    st.builds(Metric, name=texts, gauge=st.builds(Gauge, data_points=st.lists(numbers, max_size=3))),
    st.builds(Metric, name=texts, sum=st.builds(Sum, data_points=st.lists(numbers, max_size=3))),
    st.builds(Metric, name=texts, histogram=st.builds(Histogram, data_points=st.lists(histograms, max_size=2))),
    st.builds(
        Metric,
        exponential_histogram=st.builds(ExponentialHistogram, data_points=st.lists(exponentials, max_size=2)),
    ),
    st.builds(Metric, name=texts, summary=st.builds(Summary, data_points=st.lists(summaries, max_size=2))),
)
records = st.builds(
    LogRecord,
    time_unix_nano=instants,
    observed_time_unix_nano=instants,
    severity_text=texts,
    body=st.none() | st.builds(AnyValue, string_value=texts),
    flags=st.integers(0, 2**32 - 1),
    trace_id=trace_ids,
    span_id=span_ids,
)
data = st.one_of(
    st.builds(
        MetricsData,
        resource_metrics=st.lists(
            st.builds(
                ResourceMetrics,
                scope_metrics=st.lists(st.builds(ScopeMetrics, metrics=st.lists(metrics, max_size=3)), max_size=2),
            ),
            max_size=3,
        ),
    ),
    st.builds(
        LogsData,
        resource_logs=st.lists(
            st.builds(
                ResourceLogs,
                scope_logs=st.lists(
                    st.builds(ScopeLogs, log_records=st.lists(records, max_size=4), schema_url=texts), max_size=2
                ),
            ),
            max_size=3,
        ),
    ),
)


def signal_of(message: Message) -> Signal:
    return Signal.METRICS if isinstance(message, MetricsData) else Signal.LOGS


def items_of(message: Message) -> Iterator[object]:
    if isinstance(message, LogsData):
        for logs in message.resource_logs:
            for logged in logs.scope_logs:
                yield from logged.log_records
        return
    for entry in message.resource_metrics:
        for scope in entry.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                yield from getattr(metric, kind).data_points if kind else ()


def mentions_of(message: Message) -> list[Exemplar | LogRecord]:
    """What refers to traces."""
    if isinstance(message, LogsData):
        return [item for item in items_of(message) if isinstance(item, LogRecord)]
    return [exemplar for item in items_of(message) for exemplar in getattr(item, "exemplars", ())]


def times_of(message: Message) -> list[int]:
    names = ("start_time_unix_nano", "time_unix_nano", "observed_time_unix_nano")
    every = [*items_of(message), *mentions_of(message)] if isinstance(message, MetricsData) else [*items_of(message)]
    return [getattr(item, name) for item in every for name in names if getattr(item, name, 0)]


def opened(message: Message) -> Template:
    return build_items(np.frombuffer(message.SerializeToString(), np.uint8), "bytes", signal_of(message))


def shifted(message: Message) -> Message:
    """As it must be sent at T0 in the library's eyes, its IDs left alone."""
    shift = T0 - min(times_of(message), default=0)
    copy = type(message).FromString(message.SerializeToString())
    every: list[object] = [*items_of(copy), *mentions_of(copy)]
    for item in {id(one): one for one in every}.values():
        for name in ("start_time_unix_nano", "time_unix_nano", "observed_time_unix_nano"):
            if getattr(item, name, 0):
                setattr(item, name, (getattr(item, name) + shift) % (1 << 64))
    return copy


@given(data.filter(lambda message: any(True for _ in items_of(message))))
@settings(max_examples=150, deadline=None)
def test_overwrites_times_and_ids_and_nothing_else(message: Message) -> None:
    template = opened(message)
    assert len(template) == 1
    assert template.requests.items.tolist() == [len(list(items_of(message)))]
    sent = type(message).FromString(sent_request(template, seed=7, number=0, t0_ns=T0))
    expected = shifted(message)
    fresh: dict[bytes, bytes] = {}
    for before, after in zip(mentions_of(expected), mentions_of(sent), strict=True):
        for old, new in ((before.trace_id, after.trace_id), (before.span_id, after.span_id)):
            if old.strip(b"\0"):
                assert fresh.setdefault(old, new) == new != old
            else:
                assert new == old
        before.trace_id, before.span_id = after.trace_id, after.span_id
    assert len(set(fresh.values())) == len(fresh)
    assert sent == expected or sent.SerializeToString() == expected.SerializeToString()  # NaN is not equal to itself


@pytest.mark.parametrize("least", [1, 3, 1 << 30])
@given(
    message=data.filter(lambda message: message.ByteSize() > 0),
    mutations=st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.integers(0, 2**20),
    cutting=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_damaged_bytes_are_refused_or_read_as_the_protobuf_library_reads_them(
    least: int, message: Message, mutations: list[tuple[int, int]], cut: int, cutting: bool
) -> None:
    damaged = bytearray(message.SerializeToString())
    for place, byte in mutations:
        damaged[place % len(damaged)] = byte
    payload = bytes(damaged[: cut % len(damaged)]) if cutting else bytes(damaged)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire, "LOCKSTEP_LEAST", least)
        try:
            template = build_items(np.frombuffer(payload, np.uint8), "bytes", signal_of(message))
        except TemplateError:
            return
    try:
        known = type(message).FromString(payload)
    except DecodeError:  # the library also refuses what is wrong in parts that the scanner skips
        return
    assert template.requests.items.sum() == len(list(items_of(known)))
    earliest = min(times_of(known), default=0)
    assert sorted(template.time_value.tolist()) == sorted(
        (time - earliest + EPOCH_NS) % (1 << 64) for time in times_of(known)
    )
    mentions = mentions_of(known)
    words = sum(2 * bool(mention.trace_id.strip(b"\0")) + bool(mention.span_id.strip(b"\0")) for mention in mentions)
    assert template.id_slot.size == words


def record(number: int, **fields: object) -> LogRecord:
    return LogRecord(time_unix_nano=T0 + number, body=AnyValue(string_value=str(number)), **fields)  # type: ignore[arg-type]


def logs(*entries: list[LogRecord]) -> LogsData:
    return LogsData(resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=entry)]) for entry in entries])


def marked(group: int, trace: int, span: int) -> dict[str, bytes]:
    return {
        "trace_id": marked_words(group, [trace, trace + 1]).tobytes(),
        "span_id": marked_words(group, [span]).tobytes(),
    }


def test_requests_are_as_many_whole_entries_as_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "REQUEST_ITEMS", 4)
    entries = [[record(0)] * size for size in (2, 2, 1, 0, 3, 9, 4, 1, 0)]
    template = opened(logs(*entries))
    assert template.requests.items.tolist() == [4, 4, 9, 4, 1]
    assert template.requests.stop[-1] == template.payload.size
    for number, size in enumerate(template.requests.items):
        assert len(list(items_of(LogsData.FromString(template.request(number).payload.tobytes())))) == size


def test_marked_ids_draw_the_words_of_their_groups() -> None:
    entry = [record(0, **marked(5, 2, 9)), record(1, **marked(3, 0, 4)), record(2, **marked(5, 0, 9)), record(3)]
    template = opened(logs(entry))
    assert template.groups.tolist() == [3, 5]
    assert template.requests.group.tolist() == [3]
    request = 6
    sent = mentions_of(LogsData.FromString(sent_request(template, seed=2, number=request, t0_ns=T0)))
    three, five = (group_words(2, request, group, 10) for group in (3, 5))
    assert [item.trace_id for item in sent] == [
        five[2:4].tobytes(),
        three[0:2].tobytes(),
        five[0:2].tobytes(),
        b"",
    ]
    assert [item.span_id for item in sent] == [
        five[9:10].tobytes(),
        three[4:5].tobytes(),
        five[9:10].tobytes(),
        b"",
    ]


def test_other_ids_are_equal_in_their_request_and_are_those_of_no_trace_template(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(items, "REQUEST_ITEMS", 2)
    one, two = {"trace_id": b"a" * 16, "span_id": b"s" * 8}, {"trace_id": b"b" * 16, "span_id": b"s" * 8}
    template = opened(logs([record(0, **one), record(1, **two)], [record(2, **one)]))
    assert template.groups.tolist() == [OWN_GROUPS, OWN_GROUPS + 1]
    words = group_words(4, 0, OWN_GROUPS, 5).tobytes()
    first, second = mentions_of(LogsData.FromString(sent_request(template, seed=4, number=0, t0_ns=T0)))
    assert (first.trace_id, second.trace_id) == (words[:16], words[16:32])
    assert first.span_id == second.span_id == words[32:40]


def test_without_times_and_ids_there_is_nothing_to_overwrite() -> None:
    message = logs([LogRecord(severity_text="INFO")])
    template = opened(message)
    assert template.requests.group.tolist() == [-1]
    assert sent_request(template, seed=1, number=3, t0_ns=T0) == message.SerializeToString()


@pytest.mark.parametrize(
    ("signal", "payload", "reason"),
    [
        (Signal.LOGS, logs([]).SerializeToString(), "holds no log records; give a file with OTLP logs"),
        (Signal.METRICS, MetricsData(resource_metrics=[ResourceMetrics()]).SerializeToString(), "holds no data points"),
        (Signal.LOGS, logs([record(0, trace_id=b"short")]).SerializeToString(), "trace_id has 5 bytes, not 16"),
        (Signal.METRICS, b"\x0a\x06\x12\x04\x12\x02\x2a\x05", "not OTLP, or truncated"),
        (
            Signal.METRICS,
            b"\x0a\x0c\x12\x0a\x12\x08\x2a\x02\x0a\x00\x3a\x02\x0a\x00",
            "a metric has data of more than one kind",
        ),
    ],
)
def test_refuses_what_cannot_be_replayed(signal: Signal, payload: bytes, reason: str) -> None:
    with pytest.raises(TemplateError, match=rf"^bytes: .*{reason}"):
        build_items(np.frombuffer(payload, np.uint8), "bytes", signal)


@pytest.mark.parametrize("name", ["x-logs.pb", "anything.pb", "logs.pb"])
def test_a_file_tells_its_signal(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(logs([record(0, **marked(1, 0, 2))]).SerializeToString())
    first, second = Template.open(path), Template.open(path)
    assert first.signal is second.signal is Signal.LOGS
    assert path.with_suffix(".index").exists()
    assert second.groups.tolist() == first.groups.tolist() == [1]
    assert sent_request(second, 1, 0, T0) == sent_request(first, 1, 0, T0)


def test_metrics_are_known_by_their_bytes(tmp_path: Path) -> None:
    point = NumberDataPoint(start_time_unix_nano=5, time_unix_nano=9, as_int=1)
    message = MetricsData(
        resource_metrics=[
            ResourceMetrics(scope_metrics=[ScopeMetrics(metrics=[Metric(name="m", gauge=Gauge(data_points=[point]))])])
        ]
    )
    path = tmp_path / "unnamed.pb"
    path.write_bytes(message.SerializeToString())
    template = Template.open(path)
    assert template.signal is Signal.METRICS
    assert template.requests.span_ns.tolist() == [4]


def test_the_name_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "x-traces.pb"
    path.write_bytes(logs([record(0)]).SerializeToString())
    with pytest.raises(TemplateError, match=r"x-traces.pb: not OTLP"):
        Template.open(path)
