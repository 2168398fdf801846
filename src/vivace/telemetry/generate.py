"""Writes templates: the traces of a profile as OTLP bytes, their index, and a file that describes them."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field

from vivace.errors import OutputError
from vivace.profile.model import TraceProfile
from vivace.telemetry.index import create_index
from vivace.telemetry.patch import sent_request
from vivace.telemetry.template import EPOCH_NS, Template
from vivace.telemetry.topology import shop
from vivace.telemetry.traces import TraceSource

BATCH_SPANS: Final = 65_536
"""Spans that are made at once: many enough for NumPy, few enough for memory."""


SOME_TIME_NS: Final = 1_800_000_000 * EPOCH_NS

SPANS: Final[dict[TraceProfile, tuple[int, int]]] = {
    "small": (8, 15),
    "medium": (25, 40),
    "large": (50, 80),
    "xlarge": (100, 150),
}
"""Fewest and most spans of a trace."""


class TraceSettings(BaseModel):
    """What to generate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: TraceProfile = "medium"
    traces: int = Field(default=2000, ge=1, le=20_000_000)
    traces_per_request: int = Field(default=20, ge=1, le=10_000)
    seed: int = Field(default=1, ge=0, lt=1 << 64)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What was generated; written beside the template as YAML."""

    template: str
    signal: str
    profile: str
    seed: int
    traces: int
    spans: int
    requests: int
    bytes: int
    bytes_per_span: float
    gzip_ratio: float
    """Size of a request as sent, over its size compressed with gzip."""
    sender_memory_bytes: int
    """What each sender maps: the template and its index."""
    services: list[str]


def generate_traces(settings: TraceSettings, prefix: Path) -> Metadata:
    """Writes `<prefix>-traces.pb`, its index and `<prefix>-metadata.yaml`; each appears whole or not at all.

    Raises OutputError when the folder cannot be written.
    """
    path = prefix.with_name(f"{prefix.name}-traces.pb")
    topology = shop()
    source = TraceSource(topology, settings.seed)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, _batches(source, settings))
        template = create_index(path)
        metadata = _describe(template, path, settings, list(topology.services))
        text = yaml.safe_dump(asdict(metadata), sort_keys=False)
        _write(prefix.with_name(f"{prefix.name}-metadata.yaml"), [text.encode()])
    except OSError as error:
        where = error.filename or path
        raise OutputError(
            f"{where}: cannot be written: {error.strerror or error}; choose another folder or make room"
        ) from error
    return metadata


def _batches(source: TraceSource, settings: TraceSettings) -> Iterator[bytes]:
    """All requests, a batch of them at a time."""
    spans = SPANS[settings.profile]
    whole, rest = divmod(settings.traces, settings.traces_per_request)
    traces = np.array([settings.traces_per_request] * whole + [rest] * (rest > 0))
    step = max(1, BATCH_SPANS // (settings.traces_per_request * sum(spans) // 2))
    for first in range(0, traces.size, step):
        yield source.requests(first, traces[first : first + step], spans)


def _write(path: Path, parts: Iterable[bytes]) -> None:
    """Writes a file that appears when it is complete. Raises OSError."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _describe(template: Template, path: Path, settings: TraceSettings, services: list[str]) -> Metadata:
    spans = int(template.requests.items.sum())
    sent = sent_request(template, settings.seed, 0, t0_ns=SOME_TIME_NS)
    return Metadata(
        template=path.name,
        signal=template.signal.value,
        profile=settings.profile,
        seed=settings.seed,
        traces=int(template.requests.traces.sum()),
        spans=spans,
        requests=len(template),
        bytes=template.payload.size,
        bytes_per_span=round(template.payload.size / spans, 1),
        gzip_ratio=round(len(sent) / len(zlib.compress(sent)), 2),
        sender_memory_bytes=template.bytes_in_memory,
        services=services,
    )
