"""Encodes a batch of data points as OTLP: points -> metrics -> scopes -> resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope

from vivace.telemetry.arrays import Flags, Numbers
from vivace.telemetry.encode import encode, listed
from vivace.telemetry.metrics.catalogue import Definition, Kind
from vivace.telemetry.metrics.points import Points

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"
DELTA: Final = 1
CUMULATIVE: Final = 2
FIELDS: Final = {
    "gauge": ("Gauge", (Kind.GAUGE,)),
    "sum": ("Sum", (Kind.COUNTER, Kind.UPDOWN)),
    "histogram": ("Histogram", (Kind.HISTOGRAM,)),
    "exponential_histogram": ("ExponentialHistogram", (Kind.EXPONENTIAL,)),
}
"""Fields of a metric: their messages, and the kinds that they are for."""


@dataclass(frozen=True, slots=True)
class Descriptions:
    """What is said of each metric."""

    columns: dict[str, pa.Array]
    """name, unit and description: fields of Metric."""
    scope: Numbers
    """By metric: number among the scopes."""
    scopes: pa.Array
    """Encoded."""

    @classmethod
    def of(cls, definitions: list[Definition]) -> Descriptions:
        """Those of these metrics."""
        scopes = {(definition.scope, definition.version): 0 for definition in definitions}
        numbers = {scope: number for number, scope in enumerate(scopes)}
        encoded = [InstrumentationScope(name=name, version=version).SerializeToString() for name, version in scopes]
        columns = {
            "name": pa.array([definition.name for definition in definitions]),
            "unit": pa.array([definition.measure.unit for definition in definitions]),
            "description": pa.array([f"{definition.measure.about}." for definition in definitions]),
        }
        scope = np.array([numbers[definition.scope, definition.version] for definition in definitions])
        return cls(columns, scope, pa.array(encoded, pa.binary()))


@dataclass(frozen=True, slots=True)
class Placed:
    """Where points go: consecutive ones of one metric, scope, resource and request go together."""

    metric_first: Numbers
    """Points that start a metric."""
    scope_first: Numbers
    """Numbers of the metrics that start a scope."""
    entry_first: Numbers
    """Numbers of the scopes that start a top-level entry."""

    @classmethod
    def of(cls, request: Numbers, resource: Numbers, scope: Numbers, metric: Numbers) -> Placed:
        """By point."""
        entries = _changes(request) | _changes(resource)
        scopes = entries | _changes(scope)
        metrics = scopes | _changes(metric)
        metric_first = np.flatnonzero(metrics)
        scope_first = np.flatnonzero(scopes[metric_first])
        return cls(metric_first, scope_first, np.flatnonzero(entries[metric_first][scope_first]))

    @property
    def entries(self) -> Numbers:
        """Points that start a top-level entry."""
        return self.metric_first[self.scope_first][self.entry_first]


def assemble(points: Points, placed: Placed, metric: Numbers, resource: pa.Array, descriptions: Descriptions) -> bytes:
    """A batch as MetricsData; `metric` is by point, `resource` is encoded and by entry."""
    metrics = _metrics(points, placed, metric, descriptions)
    first_points = placed.metric_first[placed.scope_first]
    scope_columns = {
        "scope": descriptions.scopes.take(pa.array(descriptions.scope[metric[first_points]])),
        "metrics": listed(np.diff(placed.scope_first, append=placed.metric_first.size), metrics),
    }
    scopes = encode("ScopeMetrics", scope_columns)
    entry_columns = {
        "resource": resource,
        "scope_metrics": listed(np.diff(placed.entry_first, append=placed.scope_first.size), scopes),
        "schema_url": pa.repeat(SCHEMA_URL, placed.entry_first.size),
    }
    entries = listed(np.array([placed.entry_first.size]), encode("ResourceMetrics", entry_columns))
    return bytes(encode("MetricsData", {"resource_metrics": entries})[0].as_py())


def _metrics(points: Points, placed: Placed, metric: Numbers, descriptions: Descriptions) -> pa.Array:
    """The encoded metrics."""
    first = placed.metric_first
    lists = listed(np.diff(first, append=len(points.encoded)), points.encoded)
    kind = points.kind[first]
    columns = {name: column.take(pa.array(metric[first])) for name, column in descriptions.columns.items()}
    for field, (message, kinds) in FIELDS.items():
        rows = np.flatnonzero(np.isin(kind, kinds))
        data = {"data_points": lists.take(pa.array(rows))}
        if field != "gauge":
            data["aggregation_temporality"] = pa.repeat(
                pa.scalar(DELTA if points.delta else CUMULATIVE, pa.int32()), rows.size
            )
        if field == "sum":
            data["is_monotonic"] = pa.array(kind[rows] == Kind.COUNTER)
        columns[field] = _scattered(encode(message, data), rows, first.size)
    return encode("Metric", columns)


def _scattered(values: pa.Array, rows: Numbers, count: int) -> pa.Array:
    """The values in their rows, null elsewhere."""
    place = np.full(count, -1)
    place[rows] = np.arange(rows.size)
    return values.take(pa.array(place, mask=place < 0))


def _changes(values: Numbers) -> Flags:
    """Where a value differs from the one before it."""
    return np.append(True, values[1:] != values[:-1])
