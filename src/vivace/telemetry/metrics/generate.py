"""Writes templates of metrics: one point of every time series as OTLP bytes, and their index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from vivace.errors import ConfigurationError
from vivace.telemetry.correlation import TracePool
from vivace.telemetry.items import REQUEST_ITEMS, build_items
from vivace.telemetry.metrics.assemble import Descriptions, Placed, assemble
from vivace.telemetry.metrics.catalogue import available, conventional, definitions
from vivace.telemetry.metrics.exemplars import ExemplarSource
from vivace.telemetry.metrics.inventory import Inventory, uptimes
from vivace.telemetry.metrics.points import Measured, PointSource
from vivace.telemetry.metrics.series import Dimensions, series_counts, series_of
from vivace.telemetry.metrics.settings import MetricsSettings
from vivace.telemetry.publish import gzip_ratio, write_template
from vivace.telemetry.template import EPOCH_NS, Signal, Template
from vivace.telemetry.topology import shop

BATCH_REQUESTS: Final = 50
"""Requests that are made at once: many enough points for NumPy, few enough for memory."""
STREAM: Final = 0x7669_7661_6365_0003
"""Second half of the generator's key: traces, logs and IDs draw from other streams of the same seed."""
LONGEST_NS: Final = 30 * 86_400 * 1_000_000_000
"""No resource has been running for longer."""
COLLECTED_NS: Final = EPOCH_NS + LONGEST_NS + 60_000_000_000
"""When all points are collected, in template time; resources are collected within SCRAPE_NS before."""
SCRAPE_NS: Final = 10_000_000_000


@dataclass(frozen=True, slots=True)
class MetricsMetadata:
    """What was generated."""

    template: str
    signal: str
    seed: int
    metrics: int
    application_metrics: int
    """How many of the metrics are not of the semantic conventions: app.<service>.<object>.<measure>."""
    kinds: dict[str, int]
    """Metrics by kind."""
    data_points: int
    """One of every time series."""
    timeseries_per_metric: dict[str, float]
    """Least, mean and most."""
    resources: int
    temporality: str
    aggregation_interval_s: float | None
    correlated_with: str | None
    """The template of traces that exemplars refer to."""
    requests: int
    bytes: int
    bytes_per_data_point: float
    gzip_ratio: float
    """Size of a request as sent, over its size compressed with gzip."""
    sender_memory_bytes: int
    """What each sender maps: the template and its index."""


class MetricSource:
    """Makes the metrics of services and of what they run on; the same seed makes the same bytes."""

    def __init__(self, settings: MetricsSettings, services: tuple[str, ...], traces: TracePool | None) -> None:
        """ConfigurationError when there are not so many metrics."""
        most = available(services)
        if settings.metric_count > most:
            raise ConfigurationError(
                f"metrics.metric_count: {settings.metric_count} is more than the {most} that {len(services)} services "
                "and what they run on have; ask for fewer"
            )
        self.settings = settings
        self.definitions = definitions(settings.metric_count, services)
        random = self._random(0)
        counts = series_counts(settings.timeseries_per_metric, len(self.definitions), random)
        self._dimensions = Dimensions.of(self.definitions)
        self.series = series_of(self.definitions, self._dimensions, counts, Inventory(services, settings.seed))
        self.counts = counts
        self._uptime = uptimes(random, len(self.series.resources), LONGEST_NS)
        self._time = COLLECTED_NS - random.integers(SCRAPE_NS, size=len(self.series.resources))
        self._points = PointSource(self.definitions, settings)
        self._descriptions = Descriptions.of(self.definitions)
        self._exemplars = ExemplarSource(traces, settings.exemplars)
        self.requests = -(-len(self.series) // REQUEST_ITEMS)

    def templates(self) -> Iterator[Template]:
        """The template in parts that follow each other, in memory."""
        for first in range(0, self.requests, BATCH_REQUESTS):
            yield build_items(np.frombuffer(self._batch(first), np.uint8), "generated metrics", Signal.METRICS)

    def _batch(self, first: int) -> bytes:
        random = self._random(first + 1)
        place = np.arange(first * REQUEST_ITEMS, min((first + BATCH_REQUESTS) * REQUEST_ITEMS, len(self.series)))
        metric, resource = self.series.metric[place], self.series.resource[place]
        request = place // REQUEST_ITEMS
        moments = self._points.moments(self._time[resource], self._uptime[resource])
        distributed = np.flatnonzero(self._points.distributed(metric))
        recorded = self._points.recorded(metric[distributed], moments.rows(distributed), random)
        exemplars = self._exemplars.lists(
            recorded, moments.time[distributed], request[distributed], self.requests, random
        )
        attributes = self._dimensions.lists(metric, self.series.attributes[place])
        points = self._points.points(Measured(metric, moments, attributes, recorded, exemplars), random)
        placed = Placed.of(request, resource, self._descriptions.scope[metric], metric)
        resources = self.series.resources.take(pa.array(resource[placed.entries]))
        return assemble(points, placed, metric, resources, self._descriptions)

    def _random(self, counter: int) -> np.random.Generator:
        key, start = np.array([self.settings.seed, STREAM], np.uint64), np.array([0, counter, 0, 0], np.uint64)
        return np.random.Generator(np.random.Philox(key=key, counter=start))


def generate_metrics(
    settings: MetricsSettings, prefix: Path, services: tuple[str, ...] = (), traces: Path | None = None
) -> MetricsMetadata:
    """Writes `<prefix>-metrics.pb` and its index; each appears whole or not at all.

    `services` are those that have metrics, by default the built-in shop's; `traces` is the template that exemplars
    refer to. Raises OutputError, TemplateError, and ConfigurationError when there are not so many metrics.
    """
    path = prefix.with_name(f"{prefix.name}-metrics.pb")
    pool = TracePool(Template.open(traces), str(traces)) if traces is not None else None
    source = MetricSource(settings, services or tuple(shop().services), pool)
    template = write_template(path, source.templates(), Signal.METRICS)
    return _describe(source, template, path, traces)


def _describe(source: MetricSource, template: Template, path: Path, traces: Path | None) -> MetricsMetadata:
    settings, counts = source.settings, source.counts
    points = int(template.requests.items.sum())
    kinds = Counter(definition.kind.name.lower() for definition in source.definitions)
    return MetricsMetadata(
        template=path.name,
        signal=template.signal.value,
        seed=settings.seed,
        metrics=len(source.definitions),
        application_metrics=max(0, len(source.definitions) - conventional()),
        kinds=dict(sorted(kinds.items())),
        data_points=points,
        timeseries_per_metric={
            "min": int(counts.min()),
            "mean": round(float(counts.mean()), 1),
            "max": int(counts.max()),
        },
        resources=len(source.series.resources),
        temporality="delta" if settings.delta else "cumulative",
        aggregation_interval_s=None if settings.aggregation is None else settings.aggregation.interval_s,
        correlated_with=None if traces is None else traces.name,
        requests=len(template),
        bytes=template.payload.size,
        bytes_per_data_point=round(template.payload.size / points, 1),
        gzip_ratio=round(gzip_ratio(template, settings.seed), 2),
        sender_memory_bytes=template.bytes_in_memory,
    )
