"""Evaluates a profile's objectives against the figures: what was measured, and whether it is within the limit."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from vivace.measure.figures import (
    Figures,
    IngestFigures,
    Latency,
    Objective,
    ProcessFigures,
    QueryFigures,
    TargetResources,
    VerificationFigures,
)
from vivace.profile.objective import Objective as Demand
from vivace.profile.quantity import PERCENTILES

COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = MappingProxyType(
    {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "=": operator.eq}
)


def evaluate(demands: Iterable[Demand], figures: Figures) -> tuple[Objective, ...]:
    """Every objective with what was measured; without `actual` and `met` where that was nothing."""
    values = quantities(figures)
    return tuple(_evaluated(demand, values.get(demand.name)) for demand in demands)


def quantities(figures: Figures) -> dict[str, float]:
    """Everything in the figures that an objective may be about, by quantity, in its unit; only what was measured."""
    resources = figures.resources
    found: dict[str, float | None] = {
        **_ingest(figures.ingest),
        **_query(figures.query),
        **_verification(figures.verification),
        **_target(None if resources is None else resources.target),
        **_generator(None if resources is None else resources.generator),
    }
    return {name: value for name, value in found.items() if value is not None}


def _evaluated(demand: Demand, actual: float | None) -> Objective:
    met = None if actual is None else COMPARISONS[demand.comparison](actual, demand.threshold)
    return Objective(name=demand.name, limit=demand.limit, unit=demand.quantity.unit, actual=actual, met=met)


def _ingest(ingest: IngestFigures | None) -> dict[str, float | None]:
    if ingest is None:
        return {}
    return {
        "acknowledged_percent": _percent(ingest.acknowledged_spans, ingest.offered_spans),
        "dropped_spans": ingest.dropped_spans,
        "rejected_spans": ingest.rejected_spans,
        "failed_spans": ingest.failed_spans,
        "unknown_spans": ingest.unknown_spans,
        "spans_per_s": ingest.spans_per_s,
        "mb_per_s": ingest.mb_per_s,
        **_latencies("send_response", ingest.response_ms),
        **_latencies("send_service", ingest.service_ms),
    }


def _query(query: QueryFigures | None) -> dict[str, float | None]:
    if query is None:
        return {}
    return {
        "queries_succeeded_percent": _percent(query.succeeded, query.offered),
        "dropped_queries": query.dropped,
        "failed_queries": query.failed,
        "queries_per_s": query.queries_per_s,
        **_latencies("query_response", query.response_ms),
        **_latencies("query_service", query.service_ms),
    }


def _verification(verification: VerificationFigures | None) -> dict[str, float | None]:
    """That none of no traces is missing says nothing."""
    if verification is None or verification.checked_traces == 0:
        return {}
    return {
        "missing_traces": verification.missing_traces,
        "wrong_traces": verification.wrong_traces,
        **_latencies("visible", verification.visible_ms),
    }


def _target(target: TargetResources | None) -> dict[str, float | None]:
    if target is None:
        return {}
    return {
        "target_cpu_cores": target.cpu_cores_mean,
        "target_cpu_seconds_per_million_spans": target.cpu_seconds_per_million_spans,
        "target_memory": target.memory_max_bytes,
    }


def _generator(generator: ProcessFigures | None) -> dict[str, float | None]:
    if generator is None:
        return {}
    return {"generator_cpu_cores": generator.cpu_cores_mean, "generator_memory": generator.memory_max_bytes}


def _latencies(prefix: str, latency: Latency | None) -> dict[str, float | None]:
    if latency is None:
        return {}
    return {f"{prefix}_{percentile}": getattr(latency, percentile) for percentile in PERCENTILES}


def _percent(part: int, whole: int) -> float | None:
    return part / whole * 100 if whole else None
