"""Writes templates of traces: OTLP bytes, their index, and a file that describes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import yaml

from vivace.telemetry.places import build
from vivace.telemetry.publish import gzip_ratio, write_parts, write_template, writing
from vivace.telemetry.settings import SPANS, TraceSettings
from vivace.telemetry.template import Signal, Template
from vivace.telemetry.traces import TraceSource

__all__ = ["SPANS", "Metadata", "TraceSettings", "generate_traces", "stream_traces", "write_traces"]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What was generated."""

    template: str
    signal: str
    profile: str | None
    """None: spans per trace were given."""
    seed: int
    traces: int
    sampled: float | None
    """Share of all traces that these are; None: they were not sampled."""
    spans: int
    requests: int
    bytes: int
    bytes_per_span: float
    gzip_ratio: float
    """Size of a request as sent, over its size compressed with gzip."""
    fresh_bytes_per_span: float
    """Of text that is new in every request."""
    sender_memory_bytes: int
    """What each sender maps: the template and its index."""
    services: list[str]


def generate_traces(settings: TraceSettings, prefix: Path) -> Metadata:
    """Writes `<prefix>-traces.pb`, its index and `<prefix>-metadata.yaml`; each appears whole or not at all.

    Raises OutputError when the folder cannot be written.
    """
    metadata = write_traces(settings, prefix)
    path = prefix.with_name(f"{prefix.name}-metadata.yaml")
    with writing(path):
        write_parts(path, [yaml.safe_dump(asdict(metadata), sort_keys=False).encode()])
    return metadata


def write_traces(settings: TraceSettings, prefix: Path, watch: Callable[[int, int], None] | None = None) -> Metadata:
    """The same without the description. `watch` is told the traces and bytes that are made, again and again."""
    path = prefix.with_name(f"{prefix.name}-traces.pb")
    template = write_template(path, _watched(stream_traces(settings), watch), Signal.TRACES)
    return _describe(template, path, settings)


def stream_traces(settings: TraceSettings, endless: bool = False) -> Iterator[Template]:
    """The same template in parts that follow each other, in memory; endless: with further traces, always new ones.

    A part's requests count from 0, but its groups go on from the part before it, so that no ID comes twice.
    """
    first = 0
    for data in TraceSource(settings).batches(endless):
        part = build(np.frombuffer(data, np.uint8), "generated traces", first)
        first += len(part)
        yield part


def _watched(parts: Iterable[Template], watch: Callable[[int, int], None] | None) -> Iterator[Template]:
    traces = written = 0
    for part in parts:
        yield part
        traces += int(part.requests.traces.sum())
        written += part.payload.size
        if watch is not None:
            watch(traces, written)


def _describe(template: Template, path: Path, settings: TraceSettings) -> Metadata:
    spans = int(template.requests.items.sum())
    fresh = 0 if template.values is None else 8 * template.values.offset.size
    return Metadata(
        template=path.name,
        signal=template.signal.value,
        profile=None if settings.normal else settings.profile,
        seed=settings.seed,
        traces=int(template.requests.traces.sum()),
        sampled=settings.sampling,
        spans=spans,
        requests=len(template),
        bytes=template.payload.size,
        bytes_per_span=round(template.payload.size / spans, 1),
        gzip_ratio=round(gzip_ratio(template, settings.seed), 2),
        fresh_bytes_per_span=round(fresh / spans, 1),
        sender_memory_bytes=template.bytes_in_memory,
        services=list(settings.graph.services),
    )
