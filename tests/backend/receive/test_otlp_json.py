from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span
from tests.backend.receive.conftest import Receiver
from tests.backend.store.rebuild import sent_spans, stored_spans
from tests.backend.store.sample import request

from vivace.backend.receive.answer import Cause, NotTaken
from vivace.backend.receive.otlp_json import JSON_BYTES, protobuf_of

JSON = {"Content-Type": "application/json; charset=utf-8"}


def document(seed: int) -> dict[str, Any]:
    """A request as OTLP writes it in JSON: IDs in hexadecimal."""
    found: dict[str, Any] = MessageToDict(ExportTraceServiceRequest.FromString(request(seed)))
    for resource in found["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for name in {"traceId", "spanId", "parentSpanId"} & span.keys():
                    span[name] = base64.b64decode(span[name]).hex()
    return found


def test_json_is_stored_as_protobuf_would_be(receiver: Receiver) -> None:
    plain, packed = json.dumps(document(1)).encode(), gzip.compress(json.dumps(document(2)).encode())
    for body, headers in ((plain, JSON), (packed, {**JSON, "Content-Encoding": "gzip"}), (b"{}", JSON)):
        status, answer, answered = receiver.post(body, headers)
        assert (status, answer, answered["content-type"]) == (200, b"{}", "application/json")
    tables = receiver.logged()
    assert tables is not None
    assert stored_spans(tables) == sent_spans([request(1), request(2)])


SPAN: dict[str, Any] = {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "2"}


def converted(**fields: object) -> Any:
    spans = {"resourceSpans": [{"scopeSpans": [{"spans": [{**SPAN, **fields}]}]}]}
    message = ExportTraceServiceRequest.FromString(protobuf_of(json.dumps(spans).encode()))
    return message.resource_spans[0].scope_spans[0].spans[0]


def test_numbers_may_be_texts_and_enumerations_names() -> None:
    for start in (1_700_000_000_000_000_001, "1700000000000000001"):
        assert converted(startTimeUnixNano=start).start_time_unix_nano == 1_700_000_000_000_000_001
    for kind in (2, "SPAN_KIND_SERVER"):
        assert converted(kind=kind).kind == 2
    for value in (7, "7"):
        assert converted(attributes=[{"key": "n", "value": {"intValue": value}}]).attributes[0].value.int_value == 7


def test_names_that_are_not_known_are_passed_over() -> None:
    assert converted(inventedLater={"deep": [1]}, name="n", flags=None).name == "n"
    assert converted(parent_span_id="0" * 15 + "3").parent_span_id == bytes(7) + b"\3"


REFUSED = {
    "no JSON": (b"{", "not JSON"),
    "not UTF-8": (b'{"\xff": 1}', "not JSON"),
    "no object": (b"[]", "an array where an object is expected"),
    "NaN": (b'{"resourceSpans": NaN}', "not JSON: NaN is no number"),
    "of a wrong type": (b'{"resourceSpans": 1}', "resourceSpans: 1 where an array is expected"),
    "a short ID": (
        json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "ab"}]}]}]}).encode(),
        "traceId",
    ),
    "half a character": (b'{"resourceSpans": [{"schemaUrl": "\\ud800"}]}', "half a surrogate pair"),
    "deep": (b"[" * 200_000, "nested too deeply"),
    "a long number": (b'{"a": ' + b"9" * 10_000 + b"}", "not JSON"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_otlp_is_refused(case: str) -> None:
    body, words = REFUSED[case]
    with pytest.raises(NotTaken) as refused:
        protobuf_of(body)
    assert refused.value.cause is Cause.MALFORMED
    assert words in str(refused.value)


MESSAGES = (ExportTraceServiceRequest, ResourceSpans, ScopeSpans, Span, Span.Event, KeyValue, AnyValue, ArrayValue)
NAMES = st.sampled_from(sorted({str(field.json_name) for kind in MESSAGES for field in kind.DESCRIPTOR.fields}))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4))


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS)
def test_whatever_comes_is_converted_or_refused(value: object) -> None:
    try:
        converted = protobuf_of(json.dumps(value).encode())
    except NotTaken as refusal:
        converted = b"" if refusal.cause is Cause.MALFORMED else b"\xff"
    ExportTraceServiceRequest.FromString(converted)


def test_json_may_be_smaller_than_protobuf() -> None:
    with pytest.raises(NotTaken) as refused:
        protobuf_of(b" " * (JSON_BYTES + 1))
    assert refused.value.cause is Cause.TOO_LARGE


def test_refusals_are_in_json_too(refusing: Receiver) -> None:
    for body, headers, expected in (
        (b"{", JSON, 400),
        (json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{}]}]}]}).encode(), JSON, 400),
        (b"{}", {**JSON, "Content-Encoding": "br"}, 415),
    ):
        status, answer, answered = refusing.post(body, headers)
        assert (status, answered["content-type"]) == (expected, "application/json")
        assert json.loads(answer)["code"] in {3, 12}
    assert refusing.logged() is None
