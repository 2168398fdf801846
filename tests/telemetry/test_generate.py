from __future__ import annotations

import resource
import stat
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from pydantic import ValidationError
from tests.telemetry.otlp import Seen, seen

from vivace.errors import OutputError
from vivace.profile.model import TraceProfile
from vivace.telemetry.generate import SPANS, Metadata, TraceSettings, generate_traces
from vivace.telemetry.template import EPOCH_NS, Template
from vivace.telemetry.topology import shop
from vivace.telemetry.traces import START_SPREAD_NS

Kind = Span.SpanKind
SETTINGS = TraceSettings(profile="medium", traces=600, traces_per_request=20, seed=11)


@dataclass(frozen=True)
class Generated:
    metadata: Metadata
    template: Template
    requests: list[list[Seen]]

    @property
    def spans(self) -> list[Seen]:
        return [span for request in self.requests for span in request]

    def by_id(self) -> dict[bytes, Seen]:
        return {span.span.span_id: span for span in self.spans}


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    prefix = tmp_path_factory.mktemp("generate") / "shop"
    metadata = generate_traces(SETTINGS, prefix)
    template = Template.open(prefix.with_name("shop-traces.pb"))
    requests = [list(seen(template.request(number).payload.tobytes())) for number in range(len(template))]
    return Generated(metadata, template, requests)


@pytest.mark.parametrize("profile", ["small", "medium", "large", "xlarge"])
def test_traces_have_the_spans_of_their_profile(tmp_path: Path, profile: TraceProfile) -> None:
    settings = TraceSettings(profile=profile, traces=70, traces_per_request=30, seed=2)
    metadata = generate_traces(settings, tmp_path / "shop")
    sizes = Counter(span.span.trace_id for span in seen((tmp_path / "shop-traces.pb").read_bytes()))
    fewest, most = SPANS[profile]
    assert len(sizes) == metadata.traces == 70
    assert metadata.requests == 3
    assert sizes.total() == metadata.spans
    assert fewest <= min(sizes.values()) < max(sizes.values()) <= most


def test_the_same_seed_makes_the_same_bytes(tmp_path: Path) -> None:
    files = []
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        generate_traces(TraceSettings(profile="small", traces=30, traces_per_request=7, seed=seed), tmp_path / name)
        files.append((tmp_path / f"{name}-traces.pb").read_bytes())
    assert files[0] == files[1] != files[2]


def test_batches_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A template longer than a batch is one template: numbers run on, and no request is lost."""
    monkeypatch.setattr("vivace.telemetry.traces.BATCH_SPANS", 500)
    metadata = generate_traces(TraceSettings(profile="small", traces=333, traces_per_request=10), tmp_path / "shop")
    template = Template.open(tmp_path / "shop-traces.pb")
    assert template.requests.traces.tolist() == [10] * 33 + [3]
    assert template.requests.group.tolist() == list(range(34))
    ids = [span.span.span_id for span in seen(template.payload.tobytes())]
    assert len(set(ids)) == len(ids) == metadata.spans


def test_a_request_groups_spans_by_service_and_scope(generated: Generated) -> None:
    for request in generated.requests:
        runs = [span.service for span in request]
        assert len(set(runs)) == sum(1 for one, other in zip([None, *runs], runs, strict=False) if one != other)
        scopes = defaultdict(set)
        for span in request:
            scopes[span.service].add(span.scope)
        assert all(1 <= len(names) <= 2 for names in scopes.values())
        instances = {(span.service, span.resource["service.instance.id"]) for span in request}
        assert len(instances) == len(set(runs))


def test_every_trace_is_one_tree_that_nests(generated: Generated) -> None:
    by_id = generated.by_id()
    roots: Counter[bytes] = Counter()
    for span in (each.span for each in generated.spans):
        assert span.start_time_unix_nano < span.end_time_unix_nano
        if not span.parent_span_id:
            roots[span.trace_id] += 1
            continue
        parent = by_id[span.parent_span_id].span
        assert parent.trace_id == span.trace_id
        if span.kind == Kind.SPAN_KIND_CONSUMER:
            assert span.start_time_unix_nano >= parent.end_time_unix_nano
        else:
            assert parent.start_time_unix_nano <= span.start_time_unix_nano
            assert span.end_time_unix_nano <= parent.end_time_unix_nano
    assert set(roots.values()) == {1}
    assert len(roots) == 600


def test_calls_are_pairs_of_a_client_and_a_server(generated: Generated) -> None:
    by_id = generated.by_id()
    counterpart = {Kind.SPAN_KIND_SERVER: Kind.SPAN_KIND_CLIENT, Kind.SPAN_KIND_CONSUMER: Kind.SPAN_KIND_PRODUCER}
    met: Counter[int] = Counter()
    for span in generated.spans:
        if not span.span.parent_span_id:
            assert span.span.kind == Kind.SPAN_KIND_SERVER
            assert shop().services[str(span.service)].ingress
            continue
        parent = by_id[span.span.parent_span_id]
        met[span.span.kind] += 1
        if span.span.kind not in counterpart:
            assert parent.service == span.service
            continue
        assert parent.span.kind == counterpart[span.span.kind]
        caller = shop().services[str(parent.service)]
        assert span.service in {*caller.calls, *(name for names in caller.topics.values() for name in names)}
        for key in ("http.response.status_code", "rpc.response.status_code", "rpc.method", "messaging.kafka.offset"):
            assert parent.attributes.get(key) == span.attributes.get(key)
        if "url.path" in span.attributes:
            assert str(parent.attributes["url.full"]).endswith(str(span.attributes["url.path"]))
    assert set(met) == {1, 2, 3, 4, 5}


def test_most_steps_leave_the_service(generated: Generated) -> None:
    """70 % of what a service does next is a call, where it calls anyone."""
    calls = Counter(
        "db.system.name" not in span.attributes and span.span.kind != Kind.SPAN_KIND_INTERNAL
        for span in generated.spans
        if span.service in {"frontend", "mobile-gateway"} and span.span.parent_span_id
    )
    assert calls[True] / calls.total() == pytest.approx(0.7, abs=0.03)


def test_failures_reach_callers(generated: Generated) -> None:
    by_id = generated.by_id()
    failed = [span for span in generated.spans if span.span.status.code == Status.STATUS_CODE_ERROR]
    assert 0.002 < len(failed) / len(generated.spans) < 0.05
    told = [span for span in generated.spans if "error.type" in span.attributes]
    assert [span.span.span_id for span in told] == [span.span.span_id for span in failed]
    for span in failed:
        if span.span.kind == Kind.SPAN_KIND_SERVER and span.span.parent_span_id:
            assert by_id[span.span.parent_span_id].span.status.code == Status.STATUS_CODE_ERROR
    passed_on = [span for span in failed if span.span.kind == Kind.SPAN_KIND_SERVER and not span.span.parent_span_id]
    assert any(int(str(span.attributes["http.response.status_code"])) >= 500 for span in passed_on)
    exceptions = [event for span in failed for event in span.span.events if event.name == "exception"]
    assert exceptions
    for event in exceptions:
        assert {attribute.key for attribute in event.attributes} == {
            "exception.type",
            "exception.message",
            "exception.stacktrace",
        }


def test_a_refusal_is_the_clients_error_alone(generated: Generated) -> None:
    by_id = generated.by_id()
    refused = [span for span in generated.spans if span.attributes.get("http.response.status_code") in {400, 403, 404}]
    servers = [span for span in refused if span.span.kind == Kind.SPAN_KIND_SERVER]
    assert servers
    assert all(span.span.status.code == Status.STATUS_CODE_UNSET for span in servers)
    clients = [by_id[span.span.parent_span_id] for span in servers if span.span.parent_span_id]
    assert clients
    assert all(span.span.status.code == Status.STATUS_CODE_ERROR for span in clients)


def test_what_reads_does_not_call_what_writes(generated: Generated) -> None:
    by_id = generated.by_id()
    for span in generated.spans:
        if span.attributes.get("db.operation.name") in {"INSERT", "UPDATE", "HSET", "DEL"}:
            above = by_id[span.span.parent_span_id]
            while above.span.kind == Kind.SPAN_KIND_INTERNAL:
                above = by_id[above.span.parent_span_id]
            assert above.attributes.get("http.request.method") != "GET"
            assert "/Get" not in above.span.name


def test_events_lie_in_their_spans_and_links_refer_to_messages_of_the_request(generated: Generated) -> None:
    linked = 0
    for request in generated.requests:
        own = {span.span.span_id: span.span for span in request}
        for span in own.values():
            for event in span.events:
                assert span.start_time_unix_nano <= event.time_unix_nano <= span.end_time_unix_nano
            for link in span.links:
                linked += 1
                assert own[link.span_id].trace_id == link.trace_id
                assert own[link.span_id].kind == Kind.SPAN_KIND_PRODUCER
    assert linked


def test_traces_of_a_request_start_one_after_the_other(generated: Generated) -> None:
    for request in generated.requests:
        starts = [span.span.start_time_unix_nano for span in request if not span.span.parent_span_id]
        assert min(starts) == EPOCH_NS
        assert max(starts) < EPOCH_NS + START_SPREAD_NS
        assert len(set(starts)) == len(starts)


def test_no_two_traces_are_alike(generated: Generated) -> None:
    traces: dict[bytes, list[tuple[str, int]]] = defaultdict(list)
    for span in generated.spans:
        traces[span.span.trace_id].append(
            (span.span.name, span.span.end_time_unix_nano - span.span.start_time_unix_nano)
        )
    assert len({tuple(spans) for spans in traces.values()}) == 600


def test_attributes_have_all_types_and_no_key_twice(generated: Generated) -> None:
    kinds: set[type] = set()
    for span in generated.spans:
        keys = [attribute.key for attribute in span.span.attributes]
        assert len(set(keys)) == len(keys)
        kinds |= {type(value) for value in span.attributes.values()}
    assert kinds == {str, int, float, bool, list}


def test_the_description_beside_the_template(generated: Generated, tmp_path: Path) -> None:
    metadata = generate_traces(SETTINGS, tmp_path / "shop")
    written = yaml.safe_load((tmp_path / "shop-metadata.yaml").read_text())
    assert written["spans"] == metadata.spans == len(generated.spans)
    assert written["traces"] == 600
    assert written["requests"] == 30
    assert written["seed"] == 11
    assert written["profile"] == "medium"
    assert written["bytes"] == (tmp_path / "shop-traces.pb").stat().st_size
    assert 300 <= written["bytes_per_span"] <= 380
    assert 3 < written["gzip_ratio"] < 9
    assert written["sender_memory_bytes"] > written["bytes"]
    assert set(written["services"]) == {span.service for span in generated.spans}


@pytest.mark.parametrize(
    ("field", "value"), [("traces", 0), ("traces_per_request", 0), ("seed", -1), ("profile", "huge"), ("spans", 3)]
)
def test_refuses_settings_that_cannot_be(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        TraceSettings.model_validate({field: value})


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match=r"file.*: cannot be written: .*; choose another folder or make room"):
        generate_traces(TraceSettings(traces=1), tmp_path / "file" / "shop")


def test_a_disk_that_is_full_leaves_what_was_there(tmp_path: Path) -> None:
    small = TraceSettings(profile="small", traces=5)
    generate_traces(small, tmp_path / "shop")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"shop-traces.pb.*: cannot be written: File too large"):
            generate_traces(TraceSettings(profile="small", traces=500), tmp_path / "shop")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert stat.S_ISREG((tmp_path / "shop-traces.pb").stat().st_mode)


def test_what_times_out_takes_its_time(generated: Generated) -> None:
    late = {"Did not observe any item within 1000ms", "Timeout reading from socket", "context deadline exceeded"}
    spans = [span.span for span in generated.spans if span.span.status.message in late]
    assert spans
    assert all(span.end_time_unix_nano - span.start_time_unix_nano > 1e9 for span in spans)
