"""What is sent, where to, when and by how many; all of it checked before anything starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from vivace.errors import ConfigurationError
from vivace.pace import AdjustmentSettings, Schedule
from vivace.send.attempts import Attempts
from vivace.send.contents import Times
from vivace.send.cut import Batching
from vivace.send.disorder import Disorder
from vivace.send.transport import HEADER, MOST_HEADERS, Transport
from vivace.telemetry.template import Signal

if TYPE_CHECKING:
    from vivace.telemetry.configuration import GeneratorConfiguration

__all__ = ["HEADER", "MOST_HEADERS", "SendSettings", "Stream"]


@dataclass(frozen=True, slots=True)
class Stream:
    """Telemetry that is generated while it is sent."""

    configuration: GeneratorConfiguration
    signal: Signal
    endless: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SendSettings:
    """One replay. ConfigurationError names everything that is wrong with it, a line for each.

    Without a schedule the model is closed: vus_max requests are kept in flight, as fast as the target answers, or as
    `items_per_second` or `adjustment` allow.
    """

    endpoint: str = ""
    """host:port of OTLP over plaintext gRPC; with a transport it is left out, and so are timeout and headers."""
    transport: Transport | None = None
    template: Path
    stream: Stream | None = None
    """What is generated while it is sent, instead of a template; `template` names where it is described."""
    batching: Batching | None = None
    """How the template is cut into requests; None: as it says itself."""
    seed: int
    schedule: Schedule | None
    """Requests over all workers; None: a closed model."""
    items_per_second: float | None = None
    """Over all workers, from a token bucket that holds twice as many."""
    adjustment: AdjustmentSettings | None = None
    """Items per second over all workers; each adjusts its share to the answers that it gets."""
    start_ns: int | None = None
    """The schedule's zero in Unix nanoseconds; None: as soon as every worker is ready."""
    duration_s: float
    """May be infinite."""
    replays: int | None = None
    """How often the template is sent, at most; None: no limit."""
    vus_min: int
    vus_max: int
    """Requests in flight over all workers, each of which has its even share."""
    workers: int = 1
    timeout_s: float = 10.0
    headers: Mapping[str, str] = field(default_factory=dict)
    attempts: Attempts = field(default_factory=Attempts)
    times: Times = field(default_factory=Times)
    disorder: Disorder = field(default_factory=Disorder)
    ledger: Path

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ConfigurationError("\n".join(problems))

    @property
    def way(self) -> Transport:
        """How requests reach the target."""
        if self.transport is not None:
            return self.transport
        return Transport(endpoints=(self.endpoint,), headers=self.headers, timeout_s=self.timeout_s)

    @property
    def longest_s(self) -> float:
        """What a request can take at most."""
        return self.attempts.longest_s(self.way.timeout_s)

    def share_of_vus(self, worker: int) -> tuple[int, int]:
        """Fewest and most requests that a worker keeps in flight."""
        return max(1, _share(self.vus_min, worker, self.workers)), _share(self.vus_max, worker, self.workers)

    def _problems(self) -> Iterator[str]:
        try:
            _ = self.way
        except ConfigurationError as error:
            yield from str(error).splitlines()
        if not (self.duration_s > 0 and (isfinite(self.duration_s) or self.duration_s == inf)):
            yield f"duration: {self.duration_s} is not above zero; give seconds"
        if self.replays is not None and self.replays < 1:
            yield f"replays: {self.replays} send nothing; give at least 1"
        if self.workers < 1:
            yield f"workers: {self.workers} send nothing; give at least 1"
        if self.vus_min < 1 or self.vus_max < self.vus_min:
            yield f"vus: {self.vus_min} to {self.vus_max} is no range; give 1 or more, and no more than the maximum"
        elif self.vus_max < self.workers:
            yield f"vus: {self.vus_max} are fewer than {self.workers} workers; give each worker at least one"
        if self.seed < 0 or self.seed >= 1 << 64:
            yield f"seed: {self.seed} does not fit; give 0 to 2^64 - 1"
        if self.stream is not None and (self.workers > 1 or self.schedule is not None):
            yield "stream: what is generated on the way has no schedule, and one worker; leave both out"
        yield from self._pace_problems()
        yield from self.attempts.problems()
        yield from self.disorder.problems()
        if self.times.jitter_ms < 0 or self.times.backdate_ms < 0:
            yield "timestamps: times cannot be below zero; give milliseconds"

    def _pace_problems(self) -> Iterator[str]:
        given = [self.schedule is not None, self.items_per_second is not None, self.adjustment is not None]
        if sum(given) > 1:
            yield "pace: a schedule, a rate limit and an adjustment exclude each other; give one of them"
        if self.items_per_second is not None and not (isfinite(self.items_per_second) and self.items_per_second > 0):
            yield f"rate limit: {self.items_per_second} is not above zero; give items per second"


def _share(total: int, worker: int, workers: int) -> int:
    return total // workers + (worker < total % workers)
