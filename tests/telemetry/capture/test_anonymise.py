"""Anonymised telemetry has the structure, timing, lengths and equalities of the original, and nothing of its words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from tests.telemetry.capture.sample import CAPTURES, EVERY_JSON, imported, replayed, seen, value, values

from vivace.telemetry.capture.anonymise import Anonymiser
from vivace.telemetry.capture.conventions import conventions, suggests_identity
from vivace.telemetry.capture.formats import pieces
from vivace.telemetry.capture.otlp import Telemetry
from vivace.telemetry.capture.settings import CaptureSettings

KEPT_NAMES = frozenset({"trace_id", "span_id", "parent_span_id"})
LEAST_LENGTH = 4


def anonymised(message: Telemetry, seed: int | None = 1) -> Telemetry:
    copy = type(message)()
    copy.CopyFrom(message)  # type: ignore[arg-type]
    Anonymiser(seed)(copy)
    return copy


def attribute(key: str, **fields: object) -> tuple[str, object]:
    """Key and value of an attribute after anonymising."""
    message = TracesData()
    span = message.resource_spans.add().scope_spans.add().spans.add()
    any_value = AnyValue(**fields)  # type: ignore[arg-type]
    span.attributes.append(KeyValue(key=key, value=any_value))
    Anonymiser(1)(message)
    return span.attributes[0].key, value(span.attributes[0].value)


@pytest.mark.parametrize("key", ["service.name", "http.route", "db.query.text", "k8s.pod.name", "peer.service", "le"])
def test_public_keys_stay_and_their_values_do_not(key: str) -> None:
    replaced_key, replaced = attribute(key, string_value="checkout-service")
    assert replaced_key == key
    assert isinstance(replaced, str)
    assert len(replaced) == 16
    assert "checkout" not in replaced


@pytest.mark.parametrize("key", ["acme.loyalty_tier", "loyalty", "http.acme", "service.name.acme", "app.acme.order"])
def test_other_keys_are_replaced_letter_by_letter(key: str) -> None:
    replaced, _ = attribute(key, bool_value=True)
    assert len(replaced) == len(key)
    assert replaced.count(".") == key.count(".")
    assert "acme" not in replaced
    assert "loyalty" not in replaced


def test_what_follows_a_public_template_is_replaced() -> None:
    key, _ = attribute("http.request.header.x-acme-customer", string_value="Marlene")
    assert key.startswith("http.request.header.")
    assert "acme" not in key
    assert len(key) == len("http.request.header.x-acme-customer")


@pytest.mark.parametrize(
    ("key", "fields"),
    [
        ("http.request.method", {"string_value": "GET"}),
        ("http.status_code", {"string_value": "404"}),
        ("http.response.status_code", {"int_value": 404}),
        ("db.system.name", {"string_value": "postgresql"}),
        ("telemetry.sdk.language", {"string_value": "python"}),
        ("messaging.batch.message_count", {"int_value": 17}),
        ("acme.seconds", {"double_value": 2.5}),
        ("server.port", {"int_value": 8443}),
        ("acme.ok", {"bool_value": True}),
    ],
)
def test_enumerations_and_numbers_stay(key: str, fields: dict[str, object]) -> None:
    assert attribute(key, **fields)[1] == next(iter(fields.values()))


def test_a_long_text_is_no_enumeration() -> None:
    text = "findByName John Smith of Acme Corporation in Springfield"
    assert attribute("db.operation.name", string_value=text)[1] != text


@pytest.mark.parametrize(
    "key", ["user.id", "acme.customerId", "account_number", "phone", "cardNumber", "acme.card-no", "geo.lat", "UserID"]
)
def test_numbers_that_identify_are_replaced(key: str) -> None:
    assert suggests_identity(key)
    number = attribute(key, int_value=48151623)[1]
    assert isinstance(number, int)
    assert number != 48151623
    assert len(str(number)) == 8
    assert attribute(key, double_value=48.137)[1] != 48.137


@pytest.mark.parametrize("key", ["http.response.body.size", "retries", "acme.width", "grid.size", "videos", "valid"])
def test_other_numbers_identify_nobody(key: str) -> None:
    assert not suggests_identity(key)


def test_numbers_inside_what_identifies_are_replaced() -> None:
    inner = KeyValue(key="number", value=AnyValue(int_value=4811))
    outer = AnyValue()
    outer.kvlist_value.values.append(inner)
    replaced = attribute("customer", kvlist_value=outer.kvlist_value)[1]
    assert isinstance(replaced, dict)
    assert list(replaced.values()) != [4811]
    assert "number" not in replaced


def test_public_events_metrics_libraries_schemas_and_severities_stay() -> None:
    traces, metrics, logs = TracesData(), MetricsData(), LogsData()
    entry = traces.resource_spans.add(schema_url="https://opentelemetry.io/schemas/1.37.0")
    scope = entry.scope_spans.add()
    scope.scope.name, scope.scope.version = "io.opentelemetry.okhttp-3.0", "2.1.0"
    scope.spans.add().events.add(name="exception")
    metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="http.server.request.duration", unit="ms")
    record = logs.resource_logs.add().scope_logs.add().log_records.add(severity_text="Information")
    logs.resource_logs[0].scope_logs[0].log_records.add(severity_text="INFO2")
    entity = logs.resource_logs[0].resource.entity_refs.add(type="service", id_keys=["service.name"])
    assert anonymised(traces) == traces
    assert anonymised(metrics) == metrics
    assert record.severity_text == "Information"
    result = anonymised(logs)
    assert isinstance(result, LogsData)
    assert [each.severity_text for each in result.resource_logs[0].scope_logs[0].log_records][1] == "INFO2"
    assert result.resource_logs[0].resource.entity_refs[0] == entity


@pytest.mark.parametrize("unit", ["s", "ms", "By", "1", "MiBy/s", "%"])
def test_units_stay(unit: str) -> None:
    assert unit_of(unit) == unit


@pytest.mark.parametrize("unit", ["{seat}", "{seat}/s", "seat", "{seat"])
def test_words_for_units_do_not(unit: str) -> None:
    assert "seat" not in unit_of(unit)
    assert unit_of(unit).replace(unit_of("seat"), "seat") == unit


def unit_of(unit: str) -> str:
    message = MetricsData()
    metric = message.resource_metrics.add().scope_metrics.add().metrics.add(name="acme", unit=unit)
    Anonymiser(1)(message)
    return metric.unit


def test_private_ones_do_not() -> None:
    traces = TracesData()
    entry = traces.resource_spans.add(schema_url="https://acme.example/schema")
    entry.resource.entity_refs.add(type="acme.kiosk", id_keys=["acme.kiosk.number"], schema_url="https://acme.example")
    scope = entry.scope_spans.add()
    scope.scope.name, scope.scope.version = "com.acme.checkout", "acme-7"
    span = scope.spans.add(name="acme span", trace_state="acme=acmevalue")
    span.events.add(name="acme event")
    span.links.add(trace_state="acme=other")
    span.status.message = "acme failed"
    metrics = MetricsData()
    metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="acme.total", description="acme's total")
    logs = LogsData()
    record = logs.resource_logs.add().scope_logs.add().log_records.add(severity_text="ACME", event_name="acme.event")
    record.body.array_value.values.add(string_value="acme")
    for message in (traces, metrics, logs):
        data = anonymised(message).SerializeToString()
        assert b"acme" not in data.lower()
        assert len(data) == len(message.SerializeToString())


def test_what_protobuf_does_not_know_is_removed() -> None:
    secret = TracesData()
    secret.MergeFromString(b"\xfa\x3f\x06secret")
    assert b"secret" in secret.SerializeToString()
    assert anonymised(secret).SerializeToString() == b""


def strings(message: Message, path: str = "") -> Iterator[tuple[str, str | bytes]]:
    """Every text and every bytes in a message, with where it stands."""
    for field, content in message.ListFields():
        items = content if field.is_repeated else [content]
        for number, item in enumerate(items):
            here = f"{path}.{field.name}[{number}]"
            if field.message_type is not None:
                yield from strings(item, here)
            elif (
                field.type in {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES} and field.name not in KEPT_NAMES
            ):
                yield here, item


distinctive = st.text("bcdfghjklmnpqrstvwxyzBCDFGHJKLMNPQRSTVWXYZ", min_size=LEAST_LENGTH + 4, max_size=20)
words = st.one_of(distinctive, st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
nested = st.recursive(
    st.one_of(
        words.map(lambda text: AnyValue(string_value=text)),
        st.binary(max_size=12).map(lambda data: AnyValue(bytes_value=data)),
        st.integers(-(1 << 63) + 1, (1 << 63) - 1).map(lambda number: AnyValue(int_value=number)),
        st.floats(allow_nan=False).map(lambda number: AnyValue(double_value=number)),
        st.just(AnyValue()),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: AnyValue(array_value={"values": items})),  # type: ignore[arg-type]
        st.lists(st.tuples(words, inner), max_size=3).map(
            lambda pairs: AnyValue(kvlist_value={"values": [KeyValue(key=key, value=item) for key, item in pairs]})  # type: ignore[arg-type]
        ),
    ),
    max_leaves=4,
)
keys = st.one_of(words, st.sampled_from(sorted(conventions().keys)))
attributes = st.lists(st.tuples(keys, nested), max_size=5)


def keyed(pairs: Iterable[tuple[str, AnyValue]]) -> list[KeyValue]:
    return [KeyValue(key=key, value=item) for key, item in pairs]


@st.composite
def messages(draw: st.DrawFn) -> TracesData:
    """Traces with texts everywhere."""
    message = TracesData()
    entry = message.resource_spans.add(schema_url=draw(words))
    entry.resource.attributes.extend(keyed(draw(attributes)))
    scope = entry.scope_spans.add(schema_url=draw(words))
    scope.scope.name, scope.scope.version = draw(words), draw(words)
    for _ in range(draw(st.integers(1, 3))):
        span = scope.spans.add(name=draw(words), trace_state=draw(words), start_time_unix_nano=5, end_time_unix_nano=9)
        span.trace_id, span.span_id = draw(st.binary(min_size=16, max_size=16)), b"s" * 8
        span.attributes.extend(keyed(draw(attributes)))
        span.events.add(name=draw(words), attributes=keyed(draw(attributes)), time_unix_nano=7)
        span.links.add(
            trace_state=draw(words), attributes=keyed(draw(attributes)), trace_id=b"t" * 16, span_id=b"s" * 8
        )
        span.status.message = draw(words)
    return message


@settings(max_examples=60, deadline=None)
@given(messages())
def test_lengths_and_equalities_are_kept_and_nothing_else(message: TracesData) -> None:
    result = anonymised(message)
    before, after = dict(strings(message)), dict(strings(result))
    assert before.keys() == after.keys()
    public = public_places(message)
    for place, text in before.items():
        assert len(after[place]) == len(text)
        if isinstance(text, str):
            assert len(str(after[place]).encode()) == len(text.encode())
        if place in public:
            assert after[place] == text
    replaced = [place for place in before if place not in public]
    pairs = {(type(before[place]), before[place], after[place]) for place in replaced if not place.endswith(".key[0]")}
    assert (
        len(pairs) == len({(kind, text) for kind, text, _ in pairs}) == len({(kind, text) for kind, _, text in pairs})
    )
    data = result.SerializeToString()
    kept = " ".join(str(before[place]) for place in public)
    for place in replaced:
        text = before[place]
        if (
            isinstance(text, str)
            and len(text) >= 2 * LEAST_LENGTH
            and text.isascii()
            and text.isalpha()
            and text not in kept
        ):
            assert text.encode() not in data
        if (
            isinstance(text, str)
            and any(map(str.isalnum, text))
            and not any(word in text for word in conventions().words)
        ):
            assert after[place] != text


def public_places(message: TracesData) -> set[str]:
    """Where a text is kept by rule: public keys, and texts and arrays of texts under those of enumerations."""
    found = set()
    for place, text in strings(message):
        if place.endswith(".key[0]") and text in conventions().keys:
            found.add(place)
            if text in conventions().enumerations:
                enumerated = re.compile(
                    re.escape(place.removesuffix("key[0]"))
                    + r"value\[0\](\.array_value\[0\]\.values\[\d+\])*\.string_value\[0\]"
                )
                found |= {other for other, _ in strings(message) if enumerated.fullmatch(other)}
    return found


@pytest.mark.parametrize("name", EVERY_JSON)
def test_nothing_of_a_capture_remains_but_what_is_public(name: str, tmp_path: Path) -> None:
    report = imported(CAPTURES / name, tmp_path, CaptureSettings(anonymise=True, seed=3))
    data = b"".join(path.read_bytes() for path in report.templates.values()).lower()
    private = (
        "marlene",
        "ticket",
        "gateway",
        "seat",
        "concert",
        "acme",
        "loyalty",
        "platinum",
        "north",
        "192.168",
        "48151623",
    )
    assert [word for word in private if word.encode() in data] == []


@pytest.mark.parametrize("name", EVERY_JSON)
def test_structure_and_timing_are_those_of_the_original(name: str, tmp_path: Path) -> None:
    plain = replayed(imported(CAPTURES / name, tmp_path / "plain"))
    other = replayed(imported(CAPTURES / name, tmp_path / "anonymised", CaptureSettings(anonymise=True)))
    assert [message.ByteSize() for message in plain] == [message.ByteSize() for message in other]
    for one, two in zip(seen(plain), seen(other), strict=True):
        a, b = one.span, two.span
        assert (a.trace_id, a.span_id, a.parent_span_id, a.kind, a.status.code) == (
            b.trace_id,
            b.span_id,
            b.parent_span_id,
            b.kind,
            b.status.code,
        )
        assert (a.start_time_unix_nano, a.end_time_unix_nano) == (b.start_time_unix_nano, b.end_time_unix_nano)
        assert [len(key) for key in values(a.attributes)] == [len(key) for key in values(b.attributes)]


def test_the_same_seed_gives_the_same_and_another_something_else() -> None:
    (piece, *_) = pieces(CAPTURES / "otlp.json", 1 << 20)
    first, again, other = (anonymised(piece.telemetry, seed) for seed in (1, 1, 2))
    unrepeatable = [anonymised(piece.telemetry, None) for _ in range(2)]
    assert first == again
    assert first != other
    assert unrepeatable[0] != unrepeatable[1]


def test_the_lists_of_public_names_are_sorted_and_without_repetition() -> None:
    names = conventions()
    assert not names.enumerations & set(names.templates)
    assert all(template.endswith(".") for template in names.templates)
    assert len(names.keys) > 500
    assert all(key == key.strip() and " " not in key for key in names.keys)
