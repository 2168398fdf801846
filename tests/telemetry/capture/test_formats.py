"""Every format becomes the same OTLP; the format and the compression are told by the content, not by the name."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData
from tests.telemetry.capture.sample import CAPTURES, Seen, by_name, seen, trace, values

from vivace.errors import TemplateError
from vivace.telemetry.capture.formats import Format, pieces
from vivace.telemetry.capture.otlp import Telemetry
from vivace.telemetry.capture.wire_fields import encoded_varint

LARGEST = 1 << 20
SECOND = 1_000_000_000
START = 1_544_712_660 * SECOND


def read(path: Path) -> list[Telemetry]:
    return [piece.telemetry for piece in pieces(path, LARGEST)]


def spans_in(path: Path) -> list[Seen]:
    return list(seen(message for message in read(path) if isinstance(message, TracesData)))


def as_otlp(name: str) -> TracesData:
    """All spans of a capture in one message."""
    merged = TracesData()
    for message in read(CAPTURES / name):
        if isinstance(message, TracesData):
            merged.MergeFrom(message)
    return merged


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("otlp.json", Format.OTLP_JSON),
        ("otlp.jsonl", Format.OTLP_JSON),
        ("tempo-v1.json", Format.TEMPO_JSON),
        ("tempo-v2.json", Format.TEMPO_JSON),
        ("jaeger.json", Format.JAEGER_JSON),
        ("zipkin.json", Format.ZIPKIN_JSON),
    ],
)
def test_a_format_is_known_by_its_content(name: str, known: Format, tmp_path: Path) -> None:
    unnamed = tmp_path / "capture"
    unnamed.write_bytes((CAPTURES / name).read_bytes())
    assert {piece.format for piece in pieces(unnamed, LARGEST)} == {known}


@pytest.mark.parametrize("name", ["otlp.jsonl", "tempo-v1.json", "tempo-v2.json"])
def test_variants_of_otlp_json_hold_the_same_spans(name: str) -> None:
    plain = as_otlp("otlp.json")
    other = as_otlp(name)
    assert [each.span for each in seen([other])] == [each.span for each in seen([plain])]
    assert [each.service for each in seen([other])] == ["ticket-gateway", *["seat-service"] * 3]


def test_otlp_json_is_read_field_by_field() -> None:
    found = by_name([as_otlp("otlp.json")])
    root, child = found["GET /concerts/{concert}"].span, found["reserve seat"].span
    assert root.trace_id.hex() == "5b8efff798038103d269b633813fc60c"
    assert (root.span_id, root.parent_span_id) == (child.parent_span_id, b"")
    assert (root.kind, child.kind) == (Span.SPAN_KIND_SERVER, Span.SPAN_KIND_INTERNAL)
    assert (root.start_time_unix_nano, root.end_time_unix_nano) == (START, START + SECOND)
    assert (root.trace_state, root.flags, root.status.code) == ("acme=t61rcWkgMzE", 257, Status.STATUS_CODE_OK)
    assert (child.status.code, child.status.message) == (Status.STATUS_CODE_ERROR, "seat taken by Marlene")
    assert values(root.attributes)["http.response.status_code"] == 200
    assert values(root.attributes)["user.id"] == 48151623
    assert values(child.attributes) == {
        "acme.ratio": 0.25,
        "acme.rows": [7, "row-12"],
        "acme.seat": {"acme.block": "north"},
        "acme.token": b"secret token",
    }
    assert root.events[0].time_unix_nano == START + 300_000_000
    assert child.links[0].trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert as_otlp("otlp.json").resource_spans[0].schema_url == "https://opentelemetry.io/schemas/1.37.0"


def test_otlp_json_lines_hold_metrics_and_logs_too() -> None:
    metrics, logs = read(CAPTURES / "otlp.jsonl")[2:]
    assert isinstance(metrics, MetricsData)
    assert isinstance(logs, LogsData)
    gauge, histogram = metrics.resource_metrics[0].scope_metrics[0].metrics
    assert gauge.gauge.data_points[0].as_int == 12
    assert list(histogram.histogram.data_points[0].bucket_counts) == [1, 2]
    assert histogram.histogram.data_points[0].exemplars[0].span_id.hex() == "eee19b7ec3c1b174"
    record = logs.resource_logs[0].scope_logs[0].log_records[0]
    assert (record.severity_number, record.body.string_value) == (13, "Seat 12 of Marlene is taken")


def test_jaeger_json_is_translated() -> None:
    found = by_name([as_otlp("jaeger.json")])
    root, child, follower = found["GET /concerts"], found["reserve"], found["audit"]
    assert (root.service, root.scope, child.service) == ("gateway", "acme.web", "seats")
    assert root.span.kind == Span.SPAN_KIND_SERVER
    assert (root.span.status.code, root.span.status.message) == (Status.STATUS_CODE_ERROR, "no seats")
    assert (root.span.trace_state, root.span.flags) == ("acme=1", 1)
    assert root.attributes == {
        "http.status_code": 503,
        "sampler.param": 0.5,
        "acme.blob": b"\0\1\2",
        "acme.big": 9007199254740993,
    }
    assert (root.span.start_time_unix_nano, root.span.end_time_unix_nano) == (START, START + SECOND)
    assert (root.span.events[0].name, values(root.span.events[0].attributes)) == (
        "exception",
        {"exception.message": "sold out"},
    )
    assert child.span.span_id.hex() == "19b7ec3c1b175".rjust(16, "0")
    assert child.span.parent_span_id == root.span.span_id
    assert child.span.status.code == Status.STATUS_CODE_OK
    (link,) = child.span.links
    assert link.trace_id.hex() == "af7651916cd43dd".rjust(32, "0")
    assert values(link.attributes) == {"opentracing.ref_type": "follows_from"}
    assert follower.span.parent_span_id == child.span.span_id
    assert not follower.span.links


def test_what_a_jaeger_span_is_a_child_of_is_its_parent_rather_than_what_it_follows(tmp_path: Path) -> None:
    document = json.loads((CAPTURES / "jaeger.json").read_text())
    _, child, follower = document["data"][0]["spans"]
    child["references"].insert(
        0, {"refType": "FOLLOWS_FROM", "traceID": child["traceID"], "spanID": follower["spanID"]}
    )
    capture = tmp_path / "capture"
    capture.write_text(json.dumps(document))
    found = {each.span.name: each.span for each in spans_in(capture)}
    assert found["reserve"].parent_span_id == found["GET /concerts"].span_id
    assert found["reserve"].links[0].span_id == found["audit"].span_id
    assert len(found["reserve"].links) == 2


def test_a_process_of_jaeger_is_a_resource() -> None:
    entries = as_otlp("jaeger.json").resource_spans
    assert [values(entry.resource.attributes) for entry in entries] == [
        {"service.name": "gateway", "hostname": "node-7"},
        {"service.name": "seats"},
    ]
    assert [len(entry.scope_spans[0].spans) for entry in entries] == [1, 2]


def test_a_trace_of_jaeger_may_stand_alone(tmp_path: Path) -> None:
    alone = tmp_path / "trace.json"
    alone.write_text(json.dumps(json.loads((CAPTURES / "jaeger.json").read_text())["data"][0]))
    assert spans_in(alone) == spans_in(CAPTURES / "jaeger.json")


def test_zipkin_json_is_translated() -> None:
    by_service = {(each.service, each.span.name): each for each in spans_in(CAPTURES / "zipkin.json")}
    client, render = by_service["gateway", "get /concerts"], by_service["gateway", "render"]
    assert client.span.trace_id.hex() == "d269b633813fc60c".rjust(32, "0")
    assert client.span.kind == Span.SPAN_KIND_CLIENT
    assert client.attributes == {
        "network.local.address": "192.168.17.4",
        "peer.service": "seats",
        "network.peer.address": "192.168.17.5",
        "network.peer.port": 8080,
        "http.method": "GET",
        "http.path": "/concerts",
    }
    assert (client.span.start_time_unix_nano, client.span.end_time_unix_nano) == (START, START + SECOND)
    assert render.span.kind == Span.SPAN_KIND_PRODUCER
    assert render.span.start_time_unix_nano == render.span.end_time_unix_nano
    tick = by_service["", "tick"].span
    assert tick.trace_id.hex() == "463ac35c9f6413ad48485a3953bb6124"
    assert (tick.start_time_unix_nano, tick.status.code) == (0, Status.STATUS_CODE_ERROR)


def test_the_halves_of_a_shared_zipkin_span_are_parent_and_child() -> None:
    by_service = {(each.service, each.span.name): each for each in spans_in(CAPTURES / "zipkin.json")}
    client, server = by_service["gateway", "get /concerts"].span, by_service["seats", "get /concerts"].span
    assert server.kind == Span.SPAN_KIND_SERVER
    assert server.span_id != client.span_id
    assert server.parent_span_id == client.span_id
    assert by_service["seats", "reserve"].span.parent_span_id == server.span_id
    assert by_service["gateway", "render"].span.parent_span_id == client.span_id
    assert (server.status.code, server.status.message) == (Status.STATUS_CODE_ERROR, "seat taken")
    assert server.events[0].name == "queued"
    assert by_service["seats", "get /concerts"].scope == "acme.seats"


def test_zipkin_traces_may_be_arrays_of_arrays(tmp_path: Path) -> None:
    spans = json.loads((CAPTURES / "zipkin.json").read_text())
    nested = tmp_path / "traces.json"
    nested.write_text(json.dumps([spans[:4], spans[4:]]))
    assert spans_in(nested) == spans_in(CAPTURES / "zipkin.json")


@pytest.mark.parametrize("name", ["otlp.json", "jaeger.json", "zipkin.json"])
def test_documents_may_follow_each_other(name: str, tmp_path: Path) -> None:
    text = (CAPTURES / name).read_text()
    line = json.dumps(json.loads(text))
    for number, joined in enumerate([f"{text}\n\n{text}", f"{line}\n\n{line}\n", f"\ufeff{line}\r\n{line}"]):
        twice = tmp_path / f"{number}"
        twice.write_bytes(joined.encode())
        assert spans_in(twice) == 2 * spans_in(CAPTURES / name)


def test_an_array_may_hold_documents(tmp_path: Path) -> None:
    document = json.loads((CAPTURES / "otlp.json").read_text())
    array = tmp_path / "array.json"
    array.write_text(json.dumps([document, document]))
    assert spans_in(array) == 2 * spans_in(CAPTURES / "otlp.json")


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip in two members": lambda data: gzip.compress(data[:500]) + gzip.compress(data[500:]),
    "zstd": lambda data: bytes(pa.Codec("zstd").compress(data, asbytes=True)),
}


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("name", ["otlp.jsonl", "zipkin.json"])
def test_compression_is_told_by_its_first_bytes(packer: str, name: str, tmp_path: Path) -> None:
    packed = tmp_path / "capture.txt"
    packed.write_bytes(PACKERS[packer]((CAPTURES / name).read_bytes()))
    assert spans_in(packed) == spans_in(CAPTURES / name)


def serialized() -> list[bytes]:
    """The messages of otlp.jsonl: traces twice, metrics, logs."""
    return [message.SerializeToString() for message in read(CAPTURES / "otlp.jsonl")]


def big_endian(messages: list[bytes]) -> bytes:
    return b"".join(struct.pack(">I", len(message)) + message for message in messages)


FRAMINGS: dict[str, Callable[[list[bytes]], bytes]] = {
    "lengths as the Collector writes them": big_endian,
    "lengths as varints": lambda messages: b"".join(encoded_varint(len(each)) + each for each in messages),
    "each packed by itself": lambda messages: big_endian([PACKERS["zstd"](each) for each in messages]),
    "packed as a whole": lambda messages: PACKERS["zstd"](big_endian(messages)),
}


@pytest.mark.parametrize("framed", FRAMINGS)
def test_protobuf_messages_may_follow_each_other(framed: str, tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    capture.write_bytes(FRAMINGS[framed](serialized()))
    assert read(capture) == read(CAPTURES / "otlp.jsonl")
    assert {piece.format for piece in pieces(capture, LARGEST)} == {Format.OTLP_PROTOBUF}


@pytest.mark.parametrize("which", [0, 1, 2, 3])
def test_one_protobuf_message_of_any_signal_is_read(which: int, tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    capture.write_bytes(serialized()[which])
    assert read(capture) == [read(CAPTURES / "otlp.jsonl")[which]]


def test_json_packed_message_by_message_is_read(tmp_path: Path) -> None:
    lines = (CAPTURES / "otlp.jsonl").read_bytes().split(b"\n\n")
    capture = tmp_path / "capture"
    capture.write_bytes(big_endian([PACKERS["zstd"](line) for line in lines[0].split(b"\n")]))
    assert spans_in(capture) == spans_in(CAPTURES / "otlp.jsonl")


def test_a_message_whose_length_looks_like_json_is_protobuf(tmp_path: Path) -> None:
    """An entry of 123 bytes begins with a line break and a brace."""
    entry = trace(1)
    entry.resource.attributes[0].value.string_value = "s" * (5 + 123 - entry.ByteSize())
    assert entry.ByteSize() == 123
    capture = tmp_path / "capture"
    capture.write_bytes(TracesData(resource_spans=[entry]).SerializeToString())
    assert capture.read_bytes().startswith(b"\n{")
    assert [each.span for each in spans_in(capture)] == list(entry.scope_spans[0].spans)


def test_signals_are_told_apart_without_times(tmp_path: Path) -> None:
    """A name of 16 characters is no trace ID, and a log record need not have a time."""
    metrics, logs = MetricsData(), LogsData()
    metric = (
        metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="jvm.memory.limit", description="12345678")
    )
    metric.gauge.data_points.add(as_int=1)
    logs.resource_logs.add().scope_logs.add().log_records.add().body.string_value = "hello"
    capture = tmp_path / "capture"
    capture.write_bytes(big_endian([metrics.SerializeToString(), logs.SerializeToString()]))
    assert read(capture) == [metrics, logs]


def test_random_bytes_are_no_format(tmp_path: Path) -> None:
    noise = np.random.default_rng(1)
    capture = tmp_path / "noise"
    for _ in range(200):
        capture.write_bytes(noise.bytes(300))
        with pytest.raises(TemplateError, match="noise"):
            read(capture)
