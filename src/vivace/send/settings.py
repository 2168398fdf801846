"""What is sent, where to, when and by how many; all of it checked before anything starts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Final

from vivace.errors import ConfigurationError
from vivace.pace import Schedule

HEADER: Final = re.compile(r"[a-z0-9_.-]+")
MOST_HEADERS: Final = 8192
"""Bytes; with them every request's headers fit into one frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendSettings:
    """One replay. ConfigurationError names everything that is wrong with it, a line for each."""

    endpoint: str
    """host:port of OTLP over gRPC."""
    template: Path
    """The template's .pb file."""
    seed: int
    schedule: Schedule | None
    """Requests over all workers; None: unthrottled, vus_max requests are kept in flight."""
    start_ns: int | None = None
    """The schedule's zero in Unix nanoseconds; None: as soon as every worker is ready."""
    duration_s: float
    vus_min: int
    vus_max: int
    """Requests in flight over all workers, each of which has its even share."""
    workers: int = 1
    timeout_s: float = 10.0
    headers: Mapping[str, str] = field(default_factory=dict)
    ledger: Path

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ConfigurationError("\n".join(problems))

    def share_of_vus(self, worker: int) -> tuple[int, int]:
        """Fewest and most requests that a worker keeps in flight."""
        return max(1, _share(self.vus_min, worker, self.workers)), _share(self.vus_max, worker, self.workers)

    def _problems(self) -> Iterator[str]:
        host, _, port = self.endpoint.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
            yield f"endpoint: '{self.endpoint}' is not host:port; give one, such as 127.0.0.1:4317"
        if not (isfinite(self.duration_s) and self.duration_s > 0):
            yield f"duration: {self.duration_s} is not above zero; give seconds"
        if not (isfinite(self.timeout_s) and self.timeout_s > 0):
            yield f"timeout: {self.timeout_s} is not above zero; give seconds"
        if self.workers < 1:
            yield f"workers: {self.workers} send nothing; give at least 1"
        if self.vus_min < 1 or self.vus_max < self.vus_min:
            yield f"vus: {self.vus_min} to {self.vus_max} is no range; give 1 or more, and no more than the maximum"
        elif self.vus_max < self.workers:
            yield f"vus: {self.vus_max} are fewer than {self.workers} workers; give each worker at least one"
        if self.seed < 0 or self.seed >= 1 << 64:
            yield f"seed: {self.seed} does not fit; give 0 to 2^64 - 1"
        yield from self._header_problems()

    def _header_problems(self) -> Iterator[str]:
        for name, value in self.headers.items():
            if not HEADER.fullmatch(name.lower()) or name.lower().startswith("grpc-"):
                yield f"headers: '{name}' is no header's name; use letters, digits and - _ . (grpc-… is reserved)"
            elif not (value.isascii() and value.isprintable()):
                yield f"headers: the value of '{name}' has characters that no header can carry; use printable ASCII"
        size = sum(len(name) + len(value) for name, value in self.headers.items())
        if size > MOST_HEADERS:
            yield f"headers: {size} bytes are too many; at most {MOST_HEADERS} are sent"


def _share(total: int, worker: int, workers: int) -> int:
    return total // workers + (worker < total % workers)
