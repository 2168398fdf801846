from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData
from pydantic import ValidationError
from tests.telemetry.otlp import Seen, seen, value_of

from vivace.errors import OutputError, TemplateError
from vivace.telemetry.generate import TraceSettings, generate_traces
from vivace.telemetry.items import REQUEST_ITEMS
from vivace.telemetry.logs.draft import DELAY_NS
from vivace.telemetry.logs.generate import LogsMetadata, generate_logs
from vivace.telemetry.logs.settings import LogsSettings, Severities
from vivace.telemetry.patch import sent_request
from vivace.telemetry.template import EPOCH_NS, Signal, Template

T0 = 1_800_000_000_000_000_000
SETTINGS = LogsSettings(count=6_300, seed=5)
LEVELS = {"DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17}


@dataclass(frozen=True)
class Logged:
    """A record, its resource's attributes, and its scope."""

    resource: dict[str, object]
    scope: str
    record: LogRecord

    @property
    def attributes(self) -> dict[str, object]:
        return {attribute.key: value_of(attribute.value) for attribute in self.record.attributes}

    @property
    def type(self) -> str:
        if "http.response.body.size" in self.attributes:
            return "http_access"
        return "application" if "thread.id" in self.attributes else "system"

    @property
    def message(self) -> str:
        body = self.record.body
        if body.WhichOneof("value") == "string_value":
            return body.string_value
        return {pair.key: value_of(pair.value) for pair in body.kvlist_value.values}["message"]  # type: ignore[return-value]


def logged(payload: bytes) -> Iterator[Logged]:
    for entry in LogsData.FromString(payload).resource_logs:
        resource = {attribute.key: value_of(attribute.value) for attribute in entry.resource.attributes}
        for scope in entry.scope_logs:
            for record in scope.log_records:
                yield Logged(resource, scope.scope.name, record)


@dataclass(frozen=True)
class Generated:
    metadata: LogsMetadata
    template: Template
    records: list[Logged]
    traces: Template

    def of(self, kind: str) -> list[Logged]:
        return [one for one in self.records if one.type == kind]


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prefix = tmp_path_factory.mktemp("traces") / "x"
    generate_traces(TraceSettings(profile="medium", traces=150, traces_per_request=7, seed=5), prefix)
    return prefix.with_name("x-traces.pb")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory, traces: Path) -> Generated:
    prefix = tmp_path_factory.mktemp("logs") / "x"
    metadata = generate_logs(SETTINGS, prefix, traces=traces)
    template = Template.open(prefix.with_name("x-logs.pb"))
    return Generated(metadata, template, list(logged(template.payload.tobytes())), Template.open(traces))


def test_records_are_of_the_types_asked_for(generated: Generated) -> None:
    counts = Counter(one.type for one in generated.records)
    assert counts == {"http_access": 2520, "application": 2520, "system": 1260}
    assert generated.metadata.types == counts
    assert generated.metadata.records == len(generated.records) == 6300


@pytest.mark.parametrize(
    ("shares", "expected"),
    [((100, 0, 0), (77, 0, 0)), ((0, 0, 100), (0, 0, 77)), ((12.5, 50, 37.5), (10, 38, 29)), ((0, 100, 0), (0, 77, 0))],
)
def test_any_percentages(tmp_path: Path, shares: tuple[float, ...], expected: tuple[int, ...]) -> None:
    names = ("http_access", "application", "system")
    types = {name: {"percentage": share} for name, share in zip(names, shares, strict=True)}
    generate_logs(LogsSettings.model_validate({"count": 77, "types": types}), tmp_path / "x")
    counts = Counter(one.type for one in logged((tmp_path / "x-logs.pb").read_bytes()))
    assert tuple(counts[name] for name in names) == expected


def test_severities_have_number_and_text(generated: Generated) -> None:
    counts = Counter(one.record.severity_text for one in generated.records)
    assert set(counts) == set(LEVELS)
    assert generated.metadata.severities == counts
    assert all(one.record.severity_number == LEVELS[one.record.severity_text] for one in generated.records)


@pytest.mark.parametrize(("kind", "shares"), [("application", (20, 65, 10, 5)), ("system", (5, 75, 15, 5))])
def test_severities_are_distributed_as_asked_for(generated: Generated, kind: str, shares: tuple[float, ...]) -> None:
    counts = Counter(one.record.severity_text for one in generated.of(kind))
    for level, share in zip(LEVELS, shares, strict=True):
        assert abs(100 * counts[level] / counts.total() - share) < 4


def test_other_severities(tmp_path: Path) -> None:
    severities = {"debug": 0, "info": 0, "warn": 0, "error": 100}
    types = {"application": {"severities": severities, "structured": 100}, "system": {"severities": severities}}
    generate_logs(LogsSettings.model_validate({"count": 500, "types": types}), tmp_path / "x")
    others = [one for one in logged((tmp_path / "x-logs.pb").read_bytes()) if one.type != "http_access"]
    assert {one.record.severity_text for one in others} == {"ERROR"}
    assert {one.record.body.WhichOneof("value") for one in others if one.type == "application"} == {"kvlist_value"}


def test_requests_are_bounded_and_grouped(generated: Generated) -> None:
    assert generated.template.requests.items.tolist() == [REQUEST_ITEMS] * 6 + [300]
    for number in range(len(generated.template)):
        message = LogsData.FromString(generated.template.request(number).payload.tobytes())
        resources = [entry.resource.SerializeToString() for entry in message.resource_logs]
        assert len(set(resources)) == len(resources)
        for entry in message.resource_logs:
            scopes = [scope.scope.name for scope in entry.scope_logs]
            assert len(set(scopes)) == len(scopes)
            for scope in entry.scope_logs:
                times = [record.time_unix_nano for record in scope.log_records]
                assert times == sorted(times)


def spans_of(template: Template, seed: int, replay: int) -> dict[bytes, Seen]:
    """The spans that are sent, by ID."""
    numbers = range(replay * len(template), (replay + 1) * len(template))
    return {
        span.span.span_id: span for number in numbers for span in seen(sent_request(template, seed, number, EPOCH_NS))
    }


def records_of(template: Template, seed: int, replay: int) -> list[Logged]:
    numbers = range(replay * len(template), (replay + 1) * len(template))
    return [one for number in numbers for one in logged(sent_request(template, seed, number, EPOCH_NS))]


@pytest.mark.parametrize("replay", [0, 4])
def test_records_have_the_ids_of_spans_that_are_sent(generated: Generated, replay: int) -> None:
    spans = spans_of(generated.traces, 9, replay)
    records = records_of(generated.template, 9, replay)
    correlated = [one for one in records if one.record.trace_id]
    assert len(correlated) == generated.metadata.correlated
    assert abs(len(correlated) / len([one for one in records if one.type != "system"]) - 0.6) < 0.05
    assert all(one.type != "system" for one in correlated)
    for one in correlated:
        span = spans[one.record.span_id]
        assert span.span.trace_id == one.record.trace_id
        assert span.resource == one.resource
        assert one.record.flags == 1
    for one in records:
        assert bool(one.record.trace_id) == bool(one.record.span_id) == bool(one.record.flags)
    assert len({one.record.trace_id for one in correlated}) > 140


def test_access_logs_say_what_their_spans_say(generated: Generated) -> None:
    spans = spans_of(generated.traces, 9, 0)
    told = [one for one in records_of(generated.template, 9, 0) if one.type == "http_access" and one.record.trace_id]
    assert told
    for one in told:
        span = spans[one.record.span_id]
        assert span.span.kind == Span.SPAN_KIND_SERVER
        for key in ("http.request.method", "http.route", "url.path", "http.response.status_code", "client.address"):
            assert one.attributes.get(key) == span.attributes.get(key)
        status = span.attributes["http.response.status_code"]
        assert f'"{span.attributes["http.request.method"]} {span.attributes["url.path"]} HTTP/' in one.message
        assert f'" {status} {one.attributes["http.response.body.size"]} ' in one.message
        level = "ERROR" if int(str(status)) >= 500 else "WARN" if int(str(status)) >= 400 else "INFO"
        assert one.record.severity_text == level


def test_failed_spans_log_errors(generated: Generated) -> None:
    spans = spans_of(generated.traces, 9, 0)
    told = [one for one in records_of(generated.template, 9, 0) if one.type == "application" and one.record.trace_id]
    failed = [one for one in told if spans[one.record.span_id].span.status.code == 2]
    errors = [one for one in told if one.record.severity_text == "ERROR"]
    assert failed
    assert errors
    worse = np.mean([one.record.severity_text in {"WARN", "ERROR"} for one in failed])
    assert worse > 2 * np.mean([one.record.severity_text in {"WARN", "ERROR"} for one in told])


def test_every_service_logs_at_every_level(generated: Generated) -> None:
    levels = Counter((one.resource["service.name"], one.record.severity_text) for one in generated.of("application"))
    services = Counter(one.resource["service.name"] for one in generated.of("application"))
    for service, count in services.items():
        if count > 80:
            assert 0.08 < levels[service, "DEBUG"] / count < 0.36


def test_records_are_written_while_their_spans_last(generated: Generated) -> None:
    by_id = {span.span.span_id: span.span for span in seen(generated.traces.payload.tobytes())}
    for one in generated.records:
        record = one.record
        assert EPOCH_NS <= record.time_unix_nano < record.observed_time_unix_nano <= record.time_unix_nano + DELAY_NS
        if record.span_id:
            span = by_id[record.span_id]
            assert span.start_time_unix_nano <= record.time_unix_nano <= span.end_time_unix_nano


def test_bodies_are_texts_and_maps(generated: Generated) -> None:
    kinds = Counter((one.type, one.record.body.WhichOneof("value")) for one in generated.records)
    assert set(kinds) == {
        ("http_access", "string_value"),
        ("application", "string_value"),
        ("application", "kvlist_value"),
        ("system", "string_value"),
    }
    share = kinds["application", "kvlist_value"] / len(generated.of("application"))
    assert 0.45 < share < 0.55
    assert not any("{" in one.message for one in generated.records if one.type != "http_access")
    messages = [one.message for one in generated.records]
    assert len(set(messages)) > 0.85 * len(messages)


def test_errors_of_applications_tell_exceptions(generated: Generated) -> None:
    for one in generated.of("application"):
        told = {key for key in one.attributes if key.startswith("exception.")}
        assert bool(told) == (one.record.severity_text == "ERROR")
        assert told in (set(), {"exception.type", "exception.message", "exception.stacktrace"})


def test_system_logs_come_from_hosts(generated: Generated) -> None:
    programs = set()
    for one in generated.of("system"):
        assert "host.name" in one.resource
        assert "service.name" not in one.resource
        assert {"process.executable.name", "process.pid", "log.file.path"} == one.attributes.keys()
        programs.add(one.attributes["process.executable.name"])
    assert programs == {"kernel", "sshd", "systemd", "kubelet", "containerd", "CRON"}


def test_no_attribute_twice(generated: Generated) -> None:
    for one in generated.records:
        assert len(one.attributes) == len(one.record.attributes)


def test_without_traces_records_have_ids_of_their_own(tmp_path: Path, generated: Generated) -> None:
    metadata = generate_logs(LogsSettings(count=1500, seed=5), tmp_path / "x")
    assert metadata.correlated_with is None
    template = Template.open(tmp_path / "x-logs.pb")
    records = [one.record for one in records_of(template, 9, 0)]
    own = [record.trace_id for record in records if record.trace_id]
    assert len(own) == len(set(own)) == metadata.correlated > 600
    assert not {span.span.trace_id for span in spans_of(generated.traces, 9, 0).values()} & set(own)
    again = {one.record.trace_id for one in records_of(template, 9, 1)} - {b""}
    assert len(again) == len(own)
    assert not again & set(own)


def test_none_are_correlated(tmp_path: Path, traces: Path) -> None:
    metadata = generate_logs(LogsSettings(count=1200, correlated=0), tmp_path / "x", traces=traces)
    assert metadata.correlated == 0
    template = Template.open(tmp_path / "x-logs.pb")
    assert template.requests.group.tolist() == [-1, -1]
    assert not any(one.record.trace_id for one in logged(template.payload.tobytes()))


def test_few_records_about_many_traces_and_many_about_one(tmp_path: Path, traces: Path) -> None:
    generate_logs(LogsSettings(count=1, correlated=100), tmp_path / "few", traces=traces)
    assert len(list(logged((tmp_path / "few-logs.pb").read_bytes()))) == 1
    generate_traces(TraceSettings(profile="small", traces=1), tmp_path / "one")
    one = tmp_path / "one-traces.pb"
    generate_logs(LogsSettings(count=2500, correlated=100), tmp_path / "many", traces=one)
    sent = {span.span.trace_id for span in spans_of(Template.open(one), 3, 0).values()}
    records = records_of(Template.open(tmp_path / "many-logs.pb"), 3, 0)
    assert {item.record.trace_id for item in records} == sent | {b""}


def bare_traces(path: Path, group: int) -> None:
    """One trace of two spans without attributes, whose IDs are marked; as those of `group`."""
    words = [(group + 1 << 32 | slot).to_bytes(8, "little") for slot in (1, 2, 3, 4)]
    spans = [
        Span(trace_id=words[0] + words[1], span_id=word, start_time_unix_nano=T0, end_time_unix_nano=T0 + 9)
        for word in words[2:]
    ]
    data = TracesData(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])])
    path.write_bytes(data.SerializeToString())


def test_traces_without_http(tmp_path: Path) -> None:
    path = tmp_path / "x-traces.pb"
    bare_traces(path, group=0)
    generate_logs(LogsSettings(count=200), tmp_path / "y", traces=path)
    access = [one for one in logged((tmp_path / "y-logs.pb").read_bytes()) if one.type == "http_access"]
    assert len(access) == 80
    assert all('"GET / HTTP/1.1" 200 ' in one.message for one in access)


def test_refuses_traces_whose_ids_are_not_marked(tmp_path: Path) -> None:
    path = tmp_path / "x-traces.pb"
    bare_traces(path, group=3)
    with pytest.raises(TemplateError, match=r"x-traces.pb: its IDs are not marked for replay; import it with"):
        generate_logs(SETTINGS, tmp_path / "y", traces=path)


def test_the_same_seed_makes_the_same_bytes(tmp_path: Path, traces: Path) -> None:
    files = []
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        generate_logs(LogsSettings(count=900, seed=seed), tmp_path / name, traces=traces)
        files.append((tmp_path / f"{name}-logs.pb").read_bytes())
    assert files[0] == files[1] != files[2]


def test_batches_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, traces: Path) -> None:
    monkeypatch.setattr("vivace.telemetry.logs.generate.BATCH_REQUESTS", 2)
    metadata = generate_logs(SETTINGS, tmp_path / "x", traces=traces)
    made = Template.open(tmp_path / "x-logs.pb")
    assert metadata.types == {"http_access": 2520, "application": 2520, "system": 1260}
    (tmp_path / "x-logs.index").unlink()
    again = Template.open(tmp_path / "x-logs.pb")
    assert made.requests.items.tolist() == [REQUEST_ITEMS] * 6 + [300]
    for number in range(7):
        assert sent_request(again, 3, number + 7, T0) == sent_request(made, 3, number + 7, T0)


def test_the_description_tells_sizes(generated: Generated) -> None:
    metadata, payload = generated.metadata, generated.template.payload
    assert metadata.template == "x-logs.pb"
    assert metadata.correlated_with == "x-traces.pb"
    assert metadata.signal == Signal.LOGS
    assert metadata.bytes == payload.size
    assert metadata.requests == len(generated.template)
    assert 250 < metadata.bytes_per_record < 600
    assert 2 < metadata.gzip_ratio < 10
    assert metadata.sender_memory_bytes > metadata.bytes


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        LogsSettings.model_validate(
            {
                "count": 0,
                "types": {
                    "http_access": {"percentage": 50},
                    "application": {"severities": {"info": 50}, "structured": 120},
                    "system": {"severities": {"info": 101}},
                },
                "correlated": -1,
                "seed": "x",
                "colour": "red",
            }
        )
    places = {".".join(map(str, error["loc"])) for error in caught.value.errors()}
    assert places == {
        "count",
        "types.application.severities",
        "types.application.structured",
        "types.system.severities.info",
        "correlated",
        "seed",
        "colour",
    }


def test_refuses_percentages_that_do_not_add_up() -> None:
    with pytest.raises(ValidationError, match="the percentages add up to 110, not to 100"):
        LogsSettings.model_validate({"types": {"http_access": {"percentage": 50}}})
    with pytest.raises(ValidationError, match="the severities add up to 50, not to 100"):
        Severities(info=50)


def test_refuses_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match=r"file.*: cannot be written: .*; choose another folder or make room"):
        generate_logs(LogsSettings(count=1), tmp_path / "file" / "x")
