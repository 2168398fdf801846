"""A capture that cannot be read is refused in one line that names the file, the place and the remedy; nothing stays."""

from __future__ import annotations

import gzip
import json
import re
import struct
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from tests.telemetry.capture.sample import CAPTURES, EVERY_JSON, imported, replayed, seen, trace

from vivace.errors import TemplateError
from vivace.telemetry.capture.capture import CaptureReport
from vivace.telemetry.capture.formats import Format
from vivace.telemetry.capture.settings import CaptureSettings

MESSAGE = TracesData(resource_spans=[trace(1, spans=3), trace(2)]).SerializeToString()


def refusal(tmp_path: Path, content: bytes, wanted: CaptureSettings | None = None) -> str:
    """What the user is told about a capture with this content."""
    capture = tmp_path / "capture"
    capture.write_bytes(content)
    out = tmp_path / "out"
    with pytest.raises(TemplateError) as refused:
        imported(capture, out, wanted or CaptureSettings())
    message = str(refused.value)
    assert message.startswith(str(capture))
    assert "\n" not in message
    assert "; " in message
    assert not list(out.iterdir())
    return message.removeprefix(str(capture))


@pytest.mark.parametrize("content", [b"", b" \n\n\t\n"])
def test_an_empty_file(content: bytes, tmp_path: Path) -> None:
    assert "is empty" in refusal(tmp_path, content)


def test_an_empty_file_in_gzip(tmp_path: Path) -> None:
    assert "is empty" in refusal(tmp_path, gzip.compress(b""))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="absent: cannot be read: No such file or directory; give a file"):
        imported(tmp_path / "absent", tmp_path / "out")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="is not a file; give one file"):
        imported(tmp_path, tmp_path / "out")


def test_an_unknown_text_names_the_formats_that_are_known(tmp_path: Path) -> None:
    message = refusal(tmp_path, b"time,service,duration\n1,shop,2\n")
    assert 'begins with the text "time,service,duration"' in message
    assert all(known in message for known in Format)


def test_unknown_bytes_are_shown(tmp_path: Path) -> None:
    assert "begins with the bytes 50 4b 03 04 00 01 02 03" in refusal(tmp_path, b"PK\3\4\0\1\2\3\4")


def test_text_in_utf_16(tmp_path: Path) -> None:
    assert "holds text in UTF-16" in refusal(tmp_path, (CAPTURES / "otlp.json").read_text().encode("utf-16"))


@pytest.mark.parametrize(
    ("document", "what"),
    [
        ({}, "holds an empty object"),
        ({"hello": 1, "world": 2}, 'holds an object with "hello", "world"'),
        ([1, 2], "holds 1"),
        ("text", "begins with the text"),
        ({"traces": [{"traceID": "2f3e0cee77ae5dc9c17ade3689eb2e54"}], "metrics": {}}, "holds the results of a search"),
        ({"data": None, "errors": [{"code": 404, "msg": "trace not found"}]}, "holds errors instead of traces"),
    ],
)
def test_json_of_no_known_format(document: object, what: str, tmp_path: Path) -> None:
    message = refusal(tmp_path, json.dumps(document).encode())
    assert what in message
    assert all(known in message for known in Format)


def test_an_unknown_line_among_others_is_named(tmp_path: Path) -> None:
    message = refusal(tmp_path, (CAPTURES / "otlp.jsonl").read_bytes() + b'{"level": "info"}\n')
    assert message.startswith(":6: ")


@pytest.mark.parametrize("name", EVERY_JSON)
def test_truncated_json(name: str, tmp_path: Path) -> None:
    content = (CAPTURES / name).read_bytes().rstrip()
    last = content.count(b"\n") + 1
    message = refusal(tmp_path, content[:-1])
    assert message.startswith(f":{last}: is not JSON: ")
    assert "cut the file" in message


@pytest.mark.parametrize("name", EVERY_JSON)
def test_json_cut_in_the_middle(name: str, tmp_path: Path) -> None:
    content = (CAPTURES / name).read_bytes()
    assert "is not JSON: " in refusal(tmp_path, content[: len(content) // 2])


@pytest.mark.parametrize("cut", [1, 10, 30])
def test_truncated_protobuf(cut: int, tmp_path: Path) -> None:
    message = refusal(tmp_path, MESSAGE[:-cut])
    second = len(MESSAGE) - TracesData(resource_spans=[trace(2)]).ByteSize()
    assert message.startswith(f" (byte {second}): ends in the middle of a message of ")


@pytest.mark.parametrize("rest", [b"\0", b"\0\0\1", b"\0\0\0\x10abc"])
def test_truncated_messages_after_lengths(rest: bytes, tmp_path: Path) -> None:
    framed = struct.pack(">I", len(MESSAGE)) + MESSAGE
    assert refusal(tmp_path, framed + rest).startswith(f" (byte {len(framed)}): ends in the middle of a ")


def test_truncated_messages_after_varints(tmp_path: Path) -> None:
    short = TracesData(resource_spans=[trace(1)]).SerializeToString()
    framed = bytes([len(short)]) + short
    assert f" (byte {len(framed)}): ends in the middle of a length" in refusal(tmp_path, framed + b"\x80")


def test_protobuf_that_ends_with_something_else(tmp_path: Path) -> None:
    assert refusal(tmp_path, MESSAGE + b"hello").startswith(f" (byte {len(MESSAGE)}): is not OTLP: no entry")


def test_protobuf_with_a_text_that_is_not_utf_8(tmp_path: Path) -> None:
    assert refusal(tmp_path, MESSAGE.replace(b"work 1-0", b"work \xff-0")).startswith(" (byte 0): is not OTLP protobuf")


def test_protobuf_with_garbage_inside(tmp_path: Path) -> None:
    place = MESSAGE.index(b"work 1-1")
    broken = MESSAGE[: place - 1] + b"\xff\xff" + MESSAGE[place + 1 :]
    assert "is not OTLP protobuf" in refusal(tmp_path, broken)


@pytest.mark.parametrize("size", [20, 60, -3])
def test_a_gzip_file_that_was_cut(size: int, tmp_path: Path) -> None:
    packed = gzip.compress((CAPTURES / "otlp.jsonl").read_bytes())
    assert "cannot be read on: " in refusal(tmp_path, packed[:size])


def test_a_zstd_file_that_was_damaged(tmp_path: Path) -> None:
    packed = bytearray(pa.Codec("zstd").compress((CAPTURES / "otlp.jsonl").read_bytes(), asbytes=True))
    packed[10:60] = b"x" * 50
    assert "cannot be read on: " in refusal(tmp_path, bytes(packed))


def test_a_packed_message_that_was_damaged(tmp_path: Path) -> None:
    packed = bytearray(pa.Codec("zstd").compress(MESSAGE, asbytes=True))
    packed[-4:] = b"xxxx"
    del packed[20:]
    assert "a message cannot be unpacked" in refusal(tmp_path, struct.pack(">I", len(packed)) + bytes(packed))


SMALL = CaptureSettings(document_bytes=10_000)


def test_a_giant_line_is_not_read_into_memory(tmp_path: Path) -> None:
    lines = (CAPTURES / "otlp.jsonl").read_bytes() + b'{"resourceSpans":[' + b" " * 20_000 + b"]}\n"
    assert ":6: a line has over 10000 bytes; capture in smaller pieces" in refusal(tmp_path, lines, SMALL)


def test_a_giant_document_over_lines(tmp_path: Path) -> None:
    document = b'{"resourceSpans":[\n' + b"\n" * 20_000 + b"]}"
    assert ":1: a JSON document has over 10000 bytes" in refusal(tmp_path, document, SMALL)


def test_a_decompression_bomb(tmp_path: Path) -> None:
    bomb = gzip.compress(b'{"resourceSpans":[' + b" " * 50_000_000)
    assert len(bomb) < 60_000
    assert ":1: a line has over 10000 bytes" in refusal(tmp_path, bomb, SMALL)


def test_a_decompression_bomb_in_a_message(tmp_path: Path) -> None:
    bomb = pa.Codec("zstd").compress(b'{"resourceSpans":[' + b" " * 50_000_000, asbytes=True)
    assert "a message has over 10000 bytes" in refusal(tmp_path, struct.pack(">I", len(bomb)) + bomb, SMALL)


def test_a_giant_protobuf_message(tmp_path: Path) -> None:
    big = TracesData(resource_spans=[trace(1), trace(2, spans=500)]).SerializeToString()
    first = TracesData(resource_spans=[trace(1)]).ByteSize()
    assert f" (byte {first}): a message has over 10000 bytes" in refusal(tmp_path, big, SMALL)


def test_json_that_is_not_utf_8(tmp_path: Path) -> None:
    lines = (CAPTURES / "otlp.jsonl").read_bytes().replace(b"reserve seat", b"reserve \xff\xfe")
    assert ":2: is not UTF-8" in refusal(tmp_path, lines)


@pytest.mark.parametrize("line", [b"[" * 100_000, b'{"a":' * 100_000])
def test_json_nested_without_end(line: bytes, tmp_path: Path) -> None:
    assert ":6: is nested too deeply" in refusal(tmp_path, (CAPTURES / "otlp.jsonl").read_bytes() + line)


def test_a_value_nested_more_deeply_than_protobuf_allows(tmp_path: Path) -> None:
    value: dict[str, object] = {"stringValue": "x"}
    for _ in range(60):
        value = {"arrayValue": {"values": [value]}}
    span = {"traceId": "1" * 32, "spanId": "2" * 16, "attributes": [{"key": "k", "value": value}]}
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    assert "is nested too deeply" in refusal(tmp_path, json.dumps(document).encode())


def test_a_number_with_thousands_of_digits(tmp_path: Path) -> None:
    assert "is not JSON: " in refusal(tmp_path, b'{"resourceSpans": ' + b"9" * 5000 + b"}")


OTLP_PATH = "resourceSpans[0].scopeSpans[0].spans[0]"


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("traceId", "5b8e", f'{OTLP_PATH}.traceId: "5b8e" is not an ID of 16 bytes; write it as 32 hexadecimal digits'),
        ("spanId", 17, f"{OTLP_PATH}.spanId: 17 is not an ID of 8 bytes"),
        ("spanId", "zzz19b7ec3c1b174", f'{OTLP_PATH}.spanId: "zzz19b7ec3c1b174" is not an ID'),
        ("name", ["GET"], f"{OTLP_PATH}.name: an array where a text is expected"),
        ("name", "\ud800", f"{OTLP_PATH}.name: a text with half a surrogate pair"),
        ("startTimeUnixNano", "noon", f'{OTLP_PATH}.startTimeUnixNano: "noon" where a whole number from 0'),
        ("startTimeUnixNano", "9" * 5000, f"{OTLP_PATH}.startTimeUnixNano: "),
        ("startTimeUnixNano", "²", f"{OTLP_PATH}.startTimeUnixNano: "),
        ("startTimeUnixNano", -1, f"{OTLP_PATH}.startTimeUnixNano: -1 where a whole number from 0"),
        ("startTimeUnixNano", 0.5, f"{OTLP_PATH}.startTimeUnixNano: 0.5 where a whole number from 0"),
        ("startTimeUnixNano", True, f"{OTLP_PATH}.startTimeUnixNano: true where a whole number from 0"),
        ("kind", "SPAN_KIND_WAITER", f'{OTLP_PATH}.kind: "SPAN_KIND_WAITER" is not one of SPAN_KIND_UNSPECIFIED, '),
        ("attributes", {"key": "value"}, f"{OTLP_PATH}.attributes: an object where an array is expected"),
        ("attributes", [3], f"{OTLP_PATH}.attributes[0]: 3 where an object is expected"),
        ("status", "OK", f'{OTLP_PATH}.status: "OK" where an object is expected'),
        ("attributes", [{"key": "a", "value": {"intValue": "x"}}], f"{OTLP_PATH}.attributes[0].value.intValue: "),
        ("attributes", [{"key": "a", "value": {"doubleValue": "x"}}], "value.doubleValue: "),
        ("attributes", [{"key": "a", "value": {"boolValue": []}}], "an array where true or false is expected"),
        ("attributes", [{"key": "a", "value": {"bytesValue": "%"}}], '"%" where bytes in base64 are expected'),
    ],
)
def test_otlp_json_with_a_wrong_value(key: str, value: object, complaint: str, tmp_path: Path) -> None:
    document = json.loads((CAPTURES / "otlp.json").read_text())
    document["resourceSpans"][0]["scopeSpans"][0]["spans"][0][key] = value
    message = refusal(tmp_path, json.dumps(document).encode())
    assert message.startswith(":1: is not OTLP JSON: ")
    assert complaint in message


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"trace": {"resourceSpans": 5}}, "is not Tempo JSON: trace.resourceSpans: 5 where an array is expected"),
        ({"batches": {}}, "is not Tempo JSON: batches: an object where an array is expected"),
        ({"batches": [{"scopeSpans": [{"spans": [{"traceId": "AAA"}]}]}]}, "spans[0].traceId: "),
    ],
)
def test_tempo_json_with_a_wrong_value(document: object, complaint: str, tmp_path: Path) -> None:
    assert complaint in refusal(tmp_path, json.dumps(document).encode())


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda span: span.update(startTime="noon"), 'data[0].spans[0].startTime: "noon" where a whole number'),
        (lambda span: span.pop("spanID"), "data[0].spans[0]: spanID is missing"),
        (lambda span: span.update(spanID="x"), 'data[0].spans[0].spanID: "x" is not an ID; write it as up to 16'),
        (lambda span: span.update(processID="p9"), 'spans[0]: processID "p9" is not among the processes'),
        (lambda span: span.update(tags={}), "spans[0].tags: an object where an array is expected"),
        (
            lambda span: span["tags"].append({"key": "a", "type": "date", "value": 1}),
            'type: "date" is not one of string',
        ),
        (lambda span: span["tags"].append({"key": "a", "type": "int64", "value": "x"}), "tags[10].value: "),
        (lambda span: span["tags"].append({"type": "bool", "value": True}), "tags[10]: key is missing"),
        (lambda span: span["logs"].append({"fields": []}), "logs[1]: timestamp is missing"),
        (lambda span: span.update(duration=-(10**18)), "is not a time in microseconds since 1970"),
    ],
)
def test_jaeger_json_with_a_wrong_value(
    change: Callable[[dict[str, object]], object], complaint: str, tmp_path: Path
) -> None:
    document = json.loads((CAPTURES / "jaeger.json").read_text())
    change(document["data"][0]["spans"][0])
    message = refusal(tmp_path, json.dumps(document).encode())
    assert message.startswith(":1: is not Jaeger JSON: ")
    assert complaint in message


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda span: span.update(timestamp="noon"), '[0].timestamp: "noon" where a whole number'),
        (lambda span: span.update(timestamp=1 << 63), "is not a time in microseconds since 1970"),
        (lambda span: span.update(traceId="x" * 16), "[0].traceId: "),
        (lambda span: span.update(traceId="1" * 33), "[0].traceId: "),
        (lambda span: span.update(tags={"http.status_code": 200}), "[0].tags.http.status_code: 200 where a text"),
        (lambda span: span.update(tags=[]), "[0].tags: an array where an object is expected"),
        (lambda span: span.update(annotations=[{"value": "sent"}]), "[0].annotations[0]: timestamp is missing"),
        (lambda span: span.update(localEndpoint="gateway"), '[0].localEndpoint: "gateway" where an object'),
        (lambda span: span.update(shared=1), "[0].shared: 1 where true or false is expected"),
    ],
)
def test_zipkin_json_with_a_wrong_value(
    change: Callable[[dict[str, object]], object], complaint: str, tmp_path: Path
) -> None:
    document = json.loads((CAPTURES / "zipkin.json").read_text())
    change(document[0])
    message = refusal(tmp_path, json.dumps(document).encode())
    assert message.startswith(":1: is not Zipkin v2 JSON: ")
    assert complaint in message


@st.composite
def damages(draw: st.DrawFn) -> bytes:
    """A capture with some bytes removed, replaced or put in."""
    content = bytearray(draw(st.sampled_from([MESSAGE, *((CAPTURES / name).read_bytes() for name in EVERY_JSON)])))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content)))
        content[place : place + draw(st.integers(0, 8))] = draw(st.binary(max_size=8))
    return bytes(content)


def outcome(capture: Path) -> CaptureReport | str:
    """What was imported, or why not."""
    try:
        return imported(capture, capture.parent)
    except TemplateError as refused:
        return str(refused)


@settings(max_examples=150, deadline=None)
@given(content=damages())
def test_any_damage_is_read_or_refused_in_one_line(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    capture = tmp_path_factory.mktemp("damage") / "capture"
    capture.write_bytes(content)
    found = outcome(capture)
    if isinstance(found, str):
        assert re.fullmatch(re.escape(str(capture)) + r"(:\d+| \(byte \d+\))?: .+; .+", found)
    elif found.counts.spans:
        assert found.counts.spans == len(list(seen(replayed(found))))


def test_zipkin_spans_that_are_not_objects(tmp_path: Path) -> None:
    spans = json.loads((CAPTURES / "zipkin.json").read_text())
    assert "[5]: 17 where an object is expected" in refusal(tmp_path, json.dumps([*spans, 17]).encode())
    assert "[1]: 17 where an array is expected" in refusal(tmp_path, json.dumps([spans, 17]).encode())


@pytest.mark.parametrize("content", [b'{"resourceSpans": []}', b'{"data": []}', b"[]", b'{"batches": null}'])
def test_a_capture_without_telemetry(content: bytes, tmp_path: Path) -> None:
    assert refusal(tmp_path, content) == ": holds no telemetry; give one with spans, metrics or log records"


def test_a_capture_of_spans_without_ids(tmp_path: Path) -> None:
    document = json.loads((CAPTURES / "otlp.json").read_text())
    for entry in document["resourceSpans"]:
        for span in entry["scopeSpans"][0]["spans"]:
            span["traceId"] = ""
    assert "holds only spans without valid IDs, 4 of them" in refusal(tmp_path, json.dumps(document).encode())
