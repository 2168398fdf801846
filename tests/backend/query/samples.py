"""Telemetry for tests: spans said in a few words, and a data folder or catalogue that holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.backend.query.dataset import key_values

from vivace.backend.query.catalogue import Catalogue
from vivace.backend.query.memory import Memory
from vivace.backend.query.search import SearchRequest, search
from vivace.backend.store.block import write_block
from vivace.backend.store.decode import decode
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.manifest import LogPosition, read_manifest, write_manifest
from vivace.backend.store.segment import write_segment
from vivace.backend.store.unit import Unit, UnitKind, unit_info
from vivace.traceql.parser import parse
from vivace.traceql.tree import Pipeline

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND


def span(trace: int, number: int, parent: int = 0, *, at_s: float = 0, for_s: float = 1, **more: Any) -> Span:
    """A span; times count from NOW, `attributes` are Python values."""
    start = NOW + int(at_s * SECOND)
    attributes: Mapping[str, Any] = more.pop("attributes", {})
    return Span(
        trace_id=trace.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        start_time_unix_nano=start,
        end_time_unix_nano=start + int(for_s * SECOND),
        attributes=key_values(attributes),
        **more,
    )


def request(*spans: Span, service: str = "shop", **resource: Any) -> ExportTraceServiceRequest:
    """An export request of one resource."""
    made = ExportTraceServiceRequest()
    batch = made.resource_spans.add()
    batch.resource.attributes.extend(key_values({"service.name": service, **resource}))
    batch.scope_spans.add().spans.extend(spans)
    return made


def unit(*requests: ExportTraceServiceRequest, columns: int = 512) -> Unit:
    """A unit of requests."""
    return Unit.in_memory(decode([one.SerializeToString() for one in requests], columns))


def catalogue(*units: Unit) -> Catalogue:
    """A catalogue of these units."""
    return Catalogue(lambda: units, Memory(1 << 24))


def found(text: str, *units: Unit, **more: Any) -> list[dict[str, Any]]:
    """The traces that answer a TraceQL query."""
    root = parse(text).root
    assert isinstance(root, Pipeline)
    traces: Sequence[Any] = search(catalogue(*units).visible(), SearchRequest(root, **more))
    return list(traces)


def span_ids(traces: Sequence[Mapping[str, Any]]) -> list[int]:
    """The numbers of all spans that an answer shows, in order."""
    return sorted(int(one["spanID"], 16) for trace in traces for sets in trace["spanSets"] for one in sets["spans"])


def store(folder: Path, *units: Sequence[ExportTraceServiceRequest], kind: UnitKind = UnitKind.SEGMENT) -> None:
    """Adds units to a data folder, as an indexer does."""
    data = DataFolder(folder)
    data.create()
    for requests in units:
        manifest = read_manifest(data.manifest)
        tables = decode([one.SerializeToString() for one in requests])
        identity = f"unit-{len(manifest.units)}"
        if kind is UnitKind.SEGMENT:
            size = write_segment(tables, data.segment(identity))
        else:
            size = write_block(tables, data.block(identity))
        write_manifest(manifest.published([unit_info(identity, kind, tables, size)], LogPosition(1, 0)), data.manifest)
