from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from math import log2
from pathlib import Path

import numpy as np
import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
)
from tests.telemetry.otlp import seen, value_of

from vivace.telemetry.generate import TraceSettings, generate_traces
from vivace.telemetry.items import REQUEST_ITEMS
from vivace.telemetry.metrics.catalogue import conventional, definitions
from vivace.telemetry.metrics.generate import LONGEST_NS, MetricsMetadata, generate_metrics
from vivace.telemetry.metrics.settings import Aggregation, MetricsSettings, SeriesCount
from vivace.telemetry.patch import sent_request
from vivace.telemetry.template import EPOCH_NS, Signal, Template
from vivace.telemetry.topology import shop

Point = NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint
Labels = tuple[tuple[str, object], ...]
T0 = 1_800_000_000_000_000_000
FEW = SeriesCount(min=20, max=60)
SETTINGS = MetricsSettings(metric_count=220, timeseries_per_metric=FEW, seed=5, exemplars=30)


@dataclass(frozen=True)
class Measured:
    """A data point, its metric, and where it comes from."""

    resource: Labels
    scope: str
    metric: Metric
    point: Point

    @property
    def labels(self) -> Labels:
        return labels_of(self.point)

    @property
    def data(self) -> str:
        return str(self.metric.WhichOneof("data"))


def labels_of(attributed: object) -> Labels:
    attributes = getattr(attributed, "attributes")  # noqa: B009 - points and resources have no common type
    return tuple((attribute.key, value_of(attribute.value)) for attribute in attributes)


def measured(payload: bytes) -> Iterator[Measured]:
    for entry in MetricsData.FromString(payload).resource_metrics:
        for scope in entry.scope_metrics:
            for metric in scope.metrics:
                for point in getattr(metric, str(metric.WhichOneof("data"))).data_points:
                    yield Measured(hashable(labels_of(entry.resource)), scope.scope.name, metric, point)


def hashable(labels: Labels) -> Labels:
    return tuple((key, tuple(value) if isinstance(value, list) else value) for key, value in labels)


@dataclass(frozen=True)
class Generated:
    metadata: MetricsMetadata
    template: Template
    points: list[Measured]

    def of(self, *data: str) -> list[Measured]:
        return [one for one in self.points if one.data in data]


def generate(folder: Path, settings: MetricsSettings, traces: Path | None = None) -> Generated:
    metadata = generate_metrics(settings, folder / "x", traces=traces)
    template = Template.open(folder / "x-metrics.pb")
    return Generated(metadata, template, list(measured(template.payload.tobytes())))


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    return generate(tmp_path_factory.mktemp("metrics"), SETTINGS)


def test_every_metric_has_its_time_series(generated: Generated) -> None:
    series: dict[str, list[tuple[Labels, Labels]]] = defaultdict(list)
    for one in generated.points:
        series[one.metric.name].append((one.resource, one.labels))
    assert len(series) == generated.metadata.metrics == 220
    assert generated.metadata.application_metrics == 220 - conventional()
    sizes = [len(of) for of in series.values()]
    assert (min(sizes), max(sizes)) == (
        generated.metadata.timeseries_per_metric["min"],
        generated.metadata.timeseries_per_metric["max"],
    )
    assert 20 <= min(sizes) < max(sizes) <= 60
    assert 35 < np.mean(sizes) < 45
    assert sum(sizes) == generated.metadata.data_points
    for of in series.values():
        assert len(set(of)) == len(of)


def test_metrics_are_what_the_catalogue_says(generated: Generated) -> None:
    data = {"gauge": "gauge", "counter": "sum", "updown": "sum", "histogram": "histogram"}
    data["exponential"] = "exponential_histogram"
    known = {definition.name: definition for definition in definitions(220, tuple(shop().services))}
    for one in generated.points:
        definition = known[one.metric.name]
        assert one.data == data[definition.measure.kind]
        assert one.metric.unit == definition.measure.unit
        assert one.metric.description
        assert one.scope == definition.scope
        assert len(one.labels) == len(definition.measure.by)
        if one.data == "sum":
            assert one.metric.sum.is_monotonic == (definition.measure.kind == "counter")
        if isinstance(one.point, NumberDataPoint):
            assert one.point.WhichOneof("value") == ("as_double" if definition.measure.double else "as_int")
    assert set(Counter(one.data for one in generated.points)) == set(data.values())


def test_well_known_metrics_have_realistic_dimensions(generated: Generated) -> None:
    by_name = defaultdict(list)
    for one in generated.points:
        by_name[one.metric.name].append(one)
    for one in by_name["system.cpu.utilization"]:
        assert {"host.name", "os.type", "cloud.region"} <= dict(one.resource).keys()
        assert isinstance(dict(one.labels)["cpu.logical_number"], int)
        assert dict(one.labels)["cpu.mode"] in {"user", "system", "nice", "idle", "iowait", "interrupt", "steal"}
        assert isinstance(one.point, NumberDataPoint)
        assert 0 < one.point.as_double <= 1
    pods = {dict(one.resource)["k8s.pod.name"] for one in by_name["k8s.pod.memory.usage"]}
    assert len(pods) == len(by_name["k8s.pod.memory.usage"])
    assert {"container.id", "k8s.pod.name", "k8s.container.name"} <= dict(
        by_name["container.cpu.time"][0].resource
    ).keys()
    assert all(getattr(one.point, "as_int") in {0, 1} for one in by_name["k8s.container.ready"])  # noqa: B009


def test_requests_are_bounded_and_grouped(generated: Generated) -> None:
    assert generated.template.requests.items[:-1].tolist() == [REQUEST_ITEMS] * (len(generated.template) - 1)
    assert generated.metadata.requests == len(generated.template)
    for number in range(len(generated.template)):
        message = MetricsData.FromString(generated.template.request(number).payload.tobytes())
        resources = [entry.resource.SerializeToString() for entry in message.resource_metrics]
        assert len(set(resources)) == len(resources)
        for entry in message.resource_metrics:
            scopes = [scope.scope.name for scope in entry.scope_metrics]
            assert len(set(scopes)) == len(scopes)
            for scope in entry.scope_metrics:
                names = [metric.name for metric in scope.metrics]
                assert len(set(names)) == len(names)


def test_times_are_those_of_a_collection(generated: Generated) -> None:
    for one in generated.points:
        assert one.point.time_unix_nano > EPOCH_NS
        if one.data == "gauge":
            assert one.point.start_time_unix_nano == 0
        else:
            assert EPOCH_NS < one.point.start_time_unix_nano <= one.point.time_unix_nano - 600 * 10**9
            assert one.point.time_unix_nano - one.point.start_time_unix_nano <= LONGEST_NS
        for exemplar in getattr(one.point, "exemplars", ()):
            assert one.point.start_time_unix_nano < exemplar.time_unix_nano <= one.point.time_unix_nano
    times = {one.resource: set[int]() for one in generated.points}
    for one in generated.points:
        times[one.resource].add(one.point.time_unix_nano)
    assert all(len(of) == 1 for of in times.values())


def test_sent_times_end_when_they_are_sent(generated: Generated) -> None:
    span = int(generated.template.requests.span_ns[1])
    sent = list(measured(sent_request(generated.template, 5, 1, T0 - span)))
    assert max(one.point.time_unix_nano for one in sent) == T0
    original = list(measured(generated.template.request(1).payload.tobytes()))
    shift = T0 - max(one.point.time_unix_nano for one in original)
    for before, after in zip(original, sent, strict=True):
        assert after.point.time_unix_nano == before.point.time_unix_nano + shift


def check_range(point: HistogramDataPoint | ExponentialHistogramDataPoint) -> None:
    assert point.count >= 1
    assert 0 <= point.min <= point.max
    assert point.count * point.min * (1 - 1e-9) <= point.sum <= point.count * point.max * (1 + 1e-9)
    for exemplar in point.exemplars:
        assert point.min * (1 - 1e-9) <= exemplar.as_double <= point.max * (1 + 1e-9)


def test_histograms_add_up(generated: Generated) -> None:
    points = [one.point for one in generated.of("histogram")]
    assert points
    for point in points:
        assert isinstance(point, HistogramDataPoint)
        check_range(point)
        assert sum(point.bucket_counts) == point.count
        assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
        assert list(point.explicit_bounds) == sorted(point.explicit_bounds)
        filled = np.flatnonzero(point.bucket_counts)
        edges = [0.0, *point.explicit_bounds, np.inf]
        assert edges[filled[0]] <= point.min * (1 + 1e-9)
        assert point.max * (1 - 1e-9) <= edges[filled[-1] + 1]


def test_exponential_histograms_add_up(generated: Generated) -> None:
    points = [one.point for one in generated.of("exponential_histogram")]
    assert points
    for point in points:
        assert isinstance(point, ExponentialHistogramDataPoint)
        check_range(point)
        counts = list(point.positive.bucket_counts)
        assert sum(counts) + point.zero_count == point.count
        assert 1 <= len(counts) <= 160
        base = 2 ** (2**-point.scale)
        assert log2(point.min) / log2(base) > point.positive.offset - 1e-6
        assert log2(point.max) / log2(base) <= point.positive.offset + len(counts) + 1e-6
    assert len({point.scale for point in points if isinstance(point, ExponentialHistogramDataPoint)}) > 1


def test_exemplars_are_of_some_histograms(generated: Generated) -> None:
    points = [one.point for one in generated.of("histogram", "exponential_histogram")]
    having = [point for point in points if getattr(point, "exemplars")]  # noqa: B009
    assert 0.2 < len(having) / len(points) < 0.4


def test_the_same_seed_makes_the_same_bytes(tmp_path: Path) -> None:
    files = []
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        settings = MetricsSettings(metric_count=20, timeseries_per_metric=FEW, seed=seed)
        generate_metrics(settings, tmp_path / name)
        files.append((tmp_path / f"{name}-metrics.pb").read_bytes())
    assert files[0] == files[1] != files[2]


def test_batches_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, generated: Generated) -> None:
    monkeypatch.setattr("vivace.telemetry.metrics.generate.BATCH_REQUESTS", 2)
    other = generate(tmp_path, SETTINGS)
    assert [(one.resource, one.metric.name, one.labels) for one in other.points] == [
        (one.resource, one.metric.name, one.labels) for one in generated.points
    ]
    assert other.template.requests.items.tolist() == generated.template.requests.items.tolist()


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prefix = tmp_path_factory.mktemp("traces") / "x"
    generate_traces(TraceSettings(profile="small", traces=120, traces_per_request=7, seed=5), prefix)
    return prefix.with_name("x-traces.pb")


def test_exemplars_refer_to_spans_that_are_sent(tmp_path: Path, traces: Path) -> None:
    metrics = generate(tmp_path, SETTINGS, traces)
    assert metrics.metadata.correlated_with == "x-traces.pb"
    of_traces = Template.open(traces)
    for replay in (0, 3):
        sent = {
            (span.span.trace_id, span.span.span_id)
            for number in range(len(of_traces))
            for span in seen(sent_request(of_traces, 9, replay * len(of_traces) + number, T0))
        }
        exemplars = [
            (exemplar.trace_id, exemplar.span_id)
            for number in range(len(metrics.template))
            for one in measured(sent_request(metrics.template, 9, replay * len(metrics.template) + number, T0))
            for exemplar in getattr(one.point, "exemplars", ())
        ]
        assert len(exemplars) > 50
        assert set(exemplars) <= sent
        assert len({trace for trace, _ in exemplars}) > 40


def test_without_traces_exemplars_refer_to_others(generated: Generated, traces: Path) -> None:
    of_traces = Template.open(traces)
    own = {span.span.trace_id for n in range(len(of_traces)) for span in seen(sent_request(of_traces, 9, n, T0))}
    others = [
        exemplar.trace_id
        for number in range(len(generated.template))
        for one in measured(sent_request(generated.template, 9, number, T0))
        for exemplar in getattr(one.point, "exemplars", ())
    ]
    assert generated.metadata.correlated_with is None
    assert len(set(others)) == len(others) > 50
    assert not own & set(others)


def test_delta_points_tell_of_the_last_minute(tmp_path: Path) -> None:
    settings = MetricsSettings(metric_count=60, timeseries_per_metric=FEW, temporality="delta")
    delta = generate(tmp_path, settings)
    for one in delta.of("sum", "histogram", "exponential_histogram"):
        kind = getattr(one.metric, one.data)
        assert kind.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
        assert one.point.time_unix_nano - one.point.start_time_unix_nano == 60 * 10**9
    assert delta.metadata.temporality == "delta"


def test_cumulative_is_said(generated: Generated) -> None:
    for one in generated.of("sum", "histogram", "exponential_histogram"):
        kind = getattr(one.metric, one.data)
        assert kind.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE


def test_aggregated_points_sum_up_an_interval(tmp_path: Path) -> None:
    aggregation = Aggregation(interval_s=120, sample_s=15)
    settings = MetricsSettings(metric_count=201, timeseries_per_metric=FEW, aggregation=aggregation)
    aggregated = generate(tmp_path, settings)
    assert not aggregated.of("gauge")
    gauges = {one.name for one in definitions(171, ("a",)) if one.measure.kind == "gauge"}
    former = [one.point for one in aggregated.points if one.metric.name in gauges]
    assert former
    for point in former:
        assert isinstance(point, HistogramDataPoint)
        check_range(point)
        assert point.count == 8
        assert not point.bucket_counts
    for one in aggregated.points:
        assert one.point.time_unix_nano - one.point.start_time_unix_nano == 120 * 10**9
        kind = getattr(one.metric, one.data)
        assert kind.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
    assert aggregated.metadata.aggregation_interval_s == 120


def test_metrics_beyond_the_conventions_are_the_applications(tmp_path: Path) -> None:
    settings = MetricsSettings(metric_count=900, timeseries_per_metric=SeriesCount(min=3, max=3))
    metadata = generate_metrics(settings, tmp_path / "x", services=("cart", "check-out"))
    points = list(measured((tmp_path / "x-metrics.pb").read_bytes()))
    names = {one.metric.name for one in points}
    own = {name for name in names if name.startswith("app.")}
    assert len(names) == 900
    assert len(own) == metadata.application_metrics == 900 - conventional()
    assert {name.split(".")[1] for name in own} == {"cart", "check_out"}
    assert all(dict(one.resource)["service.name"] in {"cart", "check-out"} for one in points if one.metric.name in own)
    assert metadata.timeseries_per_metric == {"min": 3, "mean": 3, "max": 3}


def test_few_metrics_are_of_all_sources(tmp_path: Path) -> None:
    generate_metrics(MetricsSettings(metric_count=20, timeseries_per_metric=FEW), tmp_path / "x")
    names = {one.metric.name for one in measured((tmp_path / "x-metrics.pb").read_bytes())}
    assert {name.split(".")[0] for name in names} >= {"system", "process", "k8s", "container", "http"}


def test_the_description_tells_sizes(generated: Generated) -> None:
    metadata, payload = generated.metadata, generated.template.payload
    assert metadata.template == "x-metrics.pb"
    assert metadata.signal == Signal.METRICS
    assert metadata.bytes == payload.size
    assert metadata.bytes_per_data_point == pytest.approx(payload.size / len(generated.points), abs=0.06)
    assert 2 < metadata.gzip_ratio < 12
    assert metadata.sender_memory_bytes > metadata.bytes
    assert sum(metadata.kinds.values()) == metadata.metrics
