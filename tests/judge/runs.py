"""Figures of a run in which all is well, to be changed by each test."""

from __future__ import annotations

from vivace.measure.figures import (
    Figures,
    IngestFigures,
    Latency,
    Machine,
    ProcessFigures,
    QueryFigures,
    ResourceFigures,
    TargetResources,
    VerificationFigures,
)

MACHINE = Machine(cores=4, memory_bytes=2**34, kernel="Linux 6", python="3.11.7", versions={"vivace": "0.1.0"})
INGEST = IngestFigures(
    offered_spans=10_000,
    dropped_spans=0,
    sent_spans=10_000,
    acknowledged_spans=10_000,
    rejected_spans=0,
    failed_spans=0,
    unknown_spans=0,
    sent_bytes=3_000_000,
    requests=1000,
    late_requests=0,
    spans_per_s=1000,
    mb_per_s=0.3,
    response_ms=Latency(p50=1, p90=2, p95=3, p99=4, p999=5, max=6),
    service_ms=Latency(p50=1, p90=2, p95=3, p99=4, p999=5, max=6),
)
QUERY = QueryFigures(
    offered=100,
    dropped=0,
    sent=100,
    succeeded=100,
    failed=0,
    late=0,
    queries_per_s=10,
    traces=500,
    response_ms=Latency(p50=10, p90=20, p95=30, p99=40, p999=50, max=60),
)
VERIFICATION = VerificationFigures(
    checked_traces=10,
    missing_traces=0,
    wrong_traces=0,
    unchecked_traces=0,
    visible_ms=Latency(p50=100, p90=200, p95=300, p99=400, p999=500, max=600),
)
RESOURCES = ResourceFigures(
    generator=ProcessFigures(cpu_seconds=5, cpu_cores_mean=0.5, cpu_cores_max=0.75, memory_max_bytes=10**8),
    target=TargetResources(
        cpu_seconds=10,
        cpu_cores_mean=1,
        cpu_cores_max=2,
        memory_max_bytes=10**9,
        cpu_seconds_per_million_spans=6.5,
        received_spans=10_000,
        scrapes=11,
        failed_scrapes=0,
    ),
)


def run(**values: object) -> Figures:
    """The figures, with some of them changed."""
    figures = Figures(
        profile="small",
        seed=1,
        target={"kind": "embedded"},
        machine=MACHINE,
        started="2026-11-20T12:00:00Z",
        duration_s=10,
        ingest=INGEST,
        query=QUERY,
        verification=VERIFICATION,
        resources=RESOURCES,
        clock_step_ms=0,
    )
    return figures.model_copy(update=values)


def ingest(**values: object) -> IngestFigures:
    return INGEST.model_copy(update=values)


def query(**values: object) -> QueryFigures:
    return QUERY.model_copy(update=values)


def verification(**values: object) -> VerificationFigures:
    return VERIFICATION.model_copy(update=values)


def target(**values: object) -> ResourceFigures:
    assert RESOURCES.target is not None
    return RESOURCES.model_copy(update={"target": RESOURCES.target.model_copy(update=values)})


def generator(cores: float) -> ResourceFigures:
    assert RESOURCES.generator is not None
    return RESOURCES.model_copy(update={"generator": RESOURCES.generator.model_copy(update={"cpu_cores_mean": cores})})
