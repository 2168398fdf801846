"""Quantities: everything measured that an objective may be about, and the unit that its figures are in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from vivace.units import parse_count, parse_duration, parse_rate, parse_size

PERCENTILES: Final = ("p50", "p90", "p95", "p99", "p999", "max")


class Part(StrEnum):
    """The part of a measurement that a quantity belongs to."""

    INGEST = "ingest"
    QUERY = "query"
    VERIFICATION = "verification"
    TARGET = "target"
    GENERATOR = "generator"


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something measured that can be judged; thresholds and actual values are both in its unit."""

    name: str
    part: Part
    unit: str

    def threshold(self, text: str) -> float:
        """The number that a threshold's text says, in the quantity's unit; ValueError when it says none."""
        return _READERS.get(self.unit, parse_count)(text)

    @property
    def example(self) -> str:
        """A threshold as it may be written."""
        return _EXAMPLES.get(self.unit, "0")


def _latencies(prefix: str, part: Part) -> Iterable[Quantity]:
    return (Quantity(f"{prefix}_{percentile}", part, "ms") for percentile in PERCENTILES)


def _percent(text: str) -> float:
    return parse_count(text.removesuffix("%"))


def _megabytes(text: str) -> float:
    return parse_rate(text) / 1e6 if "B" in text else parse_count(text)


def _milliseconds(text: str) -> float:
    return parse_duration(text) * 1000


_READERS: Final[Mapping[str, Callable[[str], float]]] = MappingProxyType(
    {
        "%": _percent,
        "ms": _milliseconds,
        "bytes": parse_size,
        "spans/s": parse_rate,
        "queries/s": parse_rate,
        "MB/s": _megabytes,
    }
)
_EXAMPLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "%": "99.5",
        "ms": "250ms",
        "bytes": "4GiB",
        "spans/s": "10k/s",
        "queries/s": "25/s",
        "MB/s": "1.2",
        "cores": "1.5",
    }
)


QUANTITIES: Final[Mapping[str, Quantity]] = MappingProxyType(
    {
        quantity.name: quantity
        for quantity in (
            Quantity("acknowledged_percent", Part.INGEST, "%"),
            Quantity("dropped_spans", Part.INGEST, "spans"),
            Quantity("rejected_spans", Part.INGEST, "spans"),
            Quantity("failed_spans", Part.INGEST, "spans"),
            Quantity("unknown_spans", Part.INGEST, "spans"),
            Quantity("spans_per_s", Part.INGEST, "spans/s"),
            Quantity("mb_per_s", Part.INGEST, "MB/s"),
            *_latencies("send_response", Part.INGEST),
            *_latencies("send_service", Part.INGEST),
            Quantity("queries_succeeded_percent", Part.QUERY, "%"),
            Quantity("dropped_queries", Part.QUERY, "queries"),
            Quantity("failed_queries", Part.QUERY, "queries"),
            Quantity("queries_per_s", Part.QUERY, "queries/s"),
            *_latencies("query_response", Part.QUERY),
            *_latencies("query_service", Part.QUERY),
            Quantity("missing_traces", Part.VERIFICATION, "traces"),
            Quantity("wrong_traces", Part.VERIFICATION, "traces"),
            *_latencies("visible", Part.VERIFICATION),
            Quantity("target_cpu_cores", Part.TARGET, "cores"),
            Quantity("target_cpu_seconds_per_million_spans", Part.TARGET, "CPU s"),
            Quantity("target_memory", Part.TARGET, "bytes"),
            Quantity("generator_cpu_cores", Part.GENERATOR, "cores"),
            Quantity("generator_memory", Part.GENERATOR, "bytes"),
        )
    }
)
"""Everything that an objective may be about, by name: means for cores, the highest for memory."""
