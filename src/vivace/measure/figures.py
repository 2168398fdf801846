"""All figures of one profile's run, in the shape of `<profile>.json`. What was not measured is None and left out there.

Times are milliseconds, sizes bytes, MB 10**6 bytes, percentages 0 to 100. Rates are over the time that the load lasted.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from vivace.errors import OutputError


class Verdict(StrEnum):
    """PASS, FAIL (an objective was missed) or INVALID (the measurement itself cannot be trusted)."""

    PASS = "PASS"  # noqa: S105 - a verdict
    FAIL = "FAIL"
    INVALID = "INVALID"


class Part(BaseModel):
    """A part of the figures; does not change."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="ignore")


class Latency(Part):
    """Percentiles in milliseconds, each a value that was measured."""

    p50: float
    p90: float
    p95: float
    p99: float
    p999: float
    max: float


class IngestFigures(Part):
    """What was sent. offered = dropped + sent; sent = acknowledged + rejected + failed + unknown."""

    offered_spans: int
    dropped_spans: int
    """Fell due with no VU free."""
    sent_spans: int
    acknowledged_spans: int
    rejected_spans: int
    """Refused by a partial success."""
    failed_spans: int
    unknown_spans: int
    """Timed out, or the connection was lost: nobody knows whether they were stored."""
    sent_bytes: int
    requests: int
    """Sent ones."""
    late_requests: int
    """Started more than LATE_MS after they were due although a VU was free: the generator's own fault."""
    spans_per_s: float
    """Acknowledged."""
    mb_per_s: float
    """Acknowledged."""
    response_ms: Latency | None = None
    """From when a request was due to its end, of every request that was sent and ended."""
    service_ms: Latency | None = None
    """From when a request was started to its end."""
    late_ms: Latency | None = None
    """From when a request was due to its start."""
    errors: Mapping[str, int] = Field(default_factory=dict)
    """Requests that were not acknowledged, by status."""
    attempts: int | None = None
    """How often all that were sent were, with retries."""
    retry_amplification: float | None = None
    """Bytes sent in all attempts, over those of the first ones."""
    disorder: Mapping[str, int] = Field(default_factory=dict)
    """Requests with something wrong on purpose, by what it is."""


class Adjustment(Part):
    """What became of a rate that followed the target's answers, in items per second."""

    last: int
    raised: int
    """Times, over all senders."""
    lowered: int


class QueryGroup(Part):
    """What was asked, of some of the queries. offered = dropped + sent; sent = succeeded + failed."""

    offered: int
    dropped: int
    sent: int
    succeeded: int
    failed: int
    late: int
    """As IngestFigures.late_requests."""
    queries_per_s: float
    """Succeeded."""
    bytes: int | None = None
    """Of all answers, as far as they came."""
    traces: int | None = None
    """Found by those that succeeded."""
    spans: int | None = None
    """That came with the answers."""
    items: int | None = None
    """Tags, values and series in the answers."""
    inspected_spans: int | None = None
    """By the target's own account."""
    empty: int | None = None
    """Succeeded, and found nothing."""
    retries: int | None = None
    """Attempts before those that are counted here."""
    response_ms: Latency | None = None
    service_ms: Latency | None = None
    late_ms: Latency | None = None
    failures: Mapping[str, int] = Field(default_factory=dict)
    """Failed queries by cause: connection, timeout, status, unreadable, wrong."""
    checks: Mapping[str, int] = Field(default_factory=dict)
    """Answers that were compared with what was sent, by what came of it: right, wrong, unchecked."""


class QueryFigures(QueryGroup):
    """What was asked, searches and opened traces alike."""

    by_query: Mapping[str, QueryGroup] = Field(default_factory=dict)
    by_bucket: Mapping[str, QueryGroup] = Field(default_factory=dict)
    by_kind: Mapping[str, QueryGroup] = Field(default_factory=dict)
    repeated: int | None = None
    """Questions about the same closed window that were answered several times."""
    differing: int | None = None
    """Of these, the ones that were answered differently."""
    differences: tuple[str, ...] = ()
    """The first of them, in plain words."""


class VerificationFigures(Part):
    """What became of acknowledged traces that were read back."""

    checked_traces: int
    """Found, missing or wrong."""
    missing_traces: int
    """Not there, or not all of their spans."""
    wrong_traces: int
    """All there, but not as they were sent."""
    unchecked_traces: int
    """The target gave no usable answer."""
    visible_ms: Latency | None = None
    """From the acknowledgement to the first complete read, of the traces that were found."""
    at_first_read: int | None = None
    """Traces that were there at the first read: of them the time to visible is only known not to be longer."""
    problems: tuple[str, ...] = ()
    """What was wrong with the first of them."""


class ProcessFigures(Part):
    """What the processes of one side used while the load lasted."""

    cpu_seconds: float | None = None
    cpu_cores_mean: float | None = None
    cpu_cores_max: float | None = None
    """The most over one sampling interval."""
    memory_max_bytes: int | None = None


class TargetResources(ProcessFigures):
    """What the target used, and what it says of itself."""

    cpu_seconds_per_million_spans: float | None = None
    received_spans: int | None = None
    """By the target's own count."""
    scrapes: int | None = None
    failed_scrapes: int | None = None


class ResourceFigures(Part):
    """What generator and target used."""

    generator: ProcessFigures | None = None
    target: TargetResources | None = None


class Ceiling(Part):
    """What this machine's generator can send at most, measured against a null receiver."""

    spans_per_s: float
    mb_per_s: float


class Machine(Part):
    """Where the generator ran."""

    cores: float
    """That may be used, by affinity and quota."""
    memory_bytes: int
    cpu: str | None = None
    kernel: str
    python: str
    versions: Mapping[str, str]
    """Of vivace and what it stands on."""


class Objective(Part):
    """What was demanded and what was measured; without `actual` it was not, and `met` is absent too."""

    name: str
    limit: str
    unit: str
    actual: float | None = None
    met: bool | None = None


class Figures(Part):
    """Everything about one profile's run."""

    profile: str
    seed: int
    target: Mapping[str, str]
    machine: Machine
    started: str
    """RFC 3339, UTC."""
    duration_s: float
    """How long the load lasted."""
    ingest: IngestFigures | None = None
    """Of all signals together; what it calls spans are data points and log records, too."""
    signals: Mapping[str, IngestFigures] | None = None
    """Of each, where there are others than traces."""
    adjustment: Adjustment | None = None
    query: QueryFigures | None = None
    verification: VerificationFigures | None = None
    resources: ResourceFigures | None = None
    ceiling: Ceiling | None = None
    clock_step_ms: float | None = None
    """The farthest that the system's clock was set while the load lasted; absent when it was not watched."""
    interrupted: bool | None = None
    objectives: tuple[Objective, ...] = ()
    verdict: Verdict | None = None
    """None until judged."""
    reasons: tuple[str, ...] = ()
    """Why the verdict is not PASS."""
    warnings: tuple[str, ...] = ()
    """What limits the trust in a verdict that stands."""


def write_figures(figures: Figures, path: Path) -> None:
    """Writes `<profile>.json`, complete or not at all."""
    temporary = path.with_suffix(".tmp")
    try:
        temporary.write_text(figures.model_dump_json(exclude_none=True, indent=1) + "\n", encoding="utf-8")
        temporary.rename(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}; make room, or name another folder") from error


def read_figures(path: Path) -> Figures:
    """Reads `<profile>.json`; OutputError when it is not there or not of this shape."""
    try:
        return Figures.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: no figures can be read from it; name a folder that a run has left") from error
