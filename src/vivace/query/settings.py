"""What is asked, of whom, how often and by how many; all of it checked before anything starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from vivace.errors import ConfigurationError
from vivace.pace import Schedule
from vivace.query.bucket import TimeBucket
from vivace.query.consistency import problems_of
from vivace.query.kind import Kind
from vivace.query.limiter import Limiter
from vivace.query.plan import Action, Journey, NamedQuery, PlanEntry, Step
from vivace.send.settings import HEADER

LONGEST_WAIT_S: Final = 60.0
"""Before a retry, whatever the target asks for."""
REQUESTS_PER_STEP: Final = 2
"""A trace may have to be asked for of both versions of the API."""
STEPS_OF_A_QUERY: Final = 3
"""It is asked, perhaps once more, and perhaps a trace is opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentTelemetry:
    """The traces that the target has been sent: from them come IDs to ask for, and what answers must say."""

    template: Path
    seed: int
    ledger: Path | None = None
    """Of an earlier replay; None: it is going on, and the load is told what was acknowledged."""
    exclusive: bool = False
    """Whether the target holds nothing else, so that a trace that was not sent is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySettings:
    """One query load. ConfigurationError names everything that is wrong with it, a line for each."""

    base_url: str
    """Of the query API, such as http://127.0.0.1:3200."""
    queries: tuple[NamedQuery, ...]
    journeys: tuple[Journey, ...] = ()
    buckets: tuple[TimeBucket, ...]
    plan: tuple[PlanEntry, ...]
    pace: Schedule | Limiter
    """When questions are due (an open model), or what holds back those who ask (a closed one)."""
    vus_min: int = 1
    vus_max: int = 1
    """Users at most of an open model; each waits for the answers to its search, and to the click that may follow,
    before the next."""
    limit: int = 20
    """Traces that a search returns at most."""
    click_probability: float = 0.0
    """How often the first trace found is opened."""
    repeat_probability: float = 0.0
    """How often a question is asked once more at once, of the same window."""
    retries: int = 0
    """Of a request that failed for want of a connection or by a status that says to come again."""
    seed: int = 0
    start_ns: int | None = None
    """The schedule's zero in Unix nanoseconds; None: as soon as the process is ready."""
    duration_s: float
    elapsed_s: float = 0.0
    """For how long the target had been sent telemetry when the load starts; buckets may be asked accordingly."""
    timeout_s: float = 10.0
    """Of one request."""
    tenant: str | None = None
    bearer: str | None = field(default=None, repr=False)
    bearer_file: Path | None = None
    """Where the bearer token is; without the file, requests go without one."""
    headers: Mapping[str, str] = field(default_factory=dict)
    tls_authority: Path | None = None
    """A certificate authority to trust besides the system's."""
    tls_verify: bool = True
    grpc_endpoint: str | None = None
    """host:port of streaming searches; None: that of the base URL."""
    largest_answer: int = 32 * 2**20
    """Bytes; a larger answer counts as unreadable."""
    sent: SentTelemetry | None = None
    answers_per_s: float = 10.0
    """Of how many answers what they hold is kept, so that it can be compared with what was sent."""
    namespace: str = ""
    """Part of the names of the Prometheus metrics."""
    metrics_port: int | None = None
    """Where they are served; None: nowhere, 0: a free port."""
    ledger: Path

    def __post_init__(self) -> None:
        consistency = problems_of(self.queries, self.journeys, self.buckets, self.plan)
        problems = [*self._load_problems(), *self._bound_problems(), *consistency, *self._header_problems()]
        if problems:
            raise ConfigurationError("\n".join(problems))

    @property
    def streams(self) -> bool:
        """Whether any query needs gRPC."""
        return any(query.kind is Kind.STREAMING_SEARCH for query in self.queries)

    @property
    def users(self) -> int:
        """How many there are at most."""
        return self.pace.workers if isinstance(self.pace, Limiter) else self.vus_max

    @property
    def longest_question_s(self) -> float:
        """What a question may take at most, if the target answers as late as it may."""
        attempts = (1 + self.retries) * REQUESTS_PER_STEP
        waits_s = self.retries * LONGEST_WAIT_S * REQUESTS_PER_STEP
        alone = Journey("", (Step(Action.ASK),) * STEPS_OF_A_QUERY)
        return max(
            sum(attempts * self.timeout_s + waits_s + 1.5 * step.think_s for step in journey.steps)
            for journey in (alone, *self.journeys)
        )

    def all_headers(self) -> dict[str, str]:
        """Sent with every request; the token is read anew."""
        headers = dict(self.headers)
        if self.tenant is not None:
            headers["X-Scope-OrgID"] = self.tenant
        token = self.bearer if self.bearer is not None else read_token(self.bearer_file)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _load_problems(self) -> Iterator[str]:
        if not _is_http(self.base_url):
            yield f"base URL: '{self.base_url}' is no http address; give one, such as http://127.0.0.1:3200"
        positive = {"duration": self.duration_s, "timeout": self.timeout_s}
        for name, value in positive.items():
            if not (isfinite(value) and value > 0):
                yield f"{name}: {value} is not above zero; give a number that is"
        if isinstance(self.pace, Limiter):
            yield from self.pace.problems()
        elif self.vus_min < 1 or self.vus_max < self.vus_min:
            yield f"vus: {self.vus_min} to {self.vus_max} is no range; give 1 or more, and no more than the maximum"

    def _bound_problems(self) -> Iterator[str]:
        if self.limit < 1:
            yield f"limit: {self.limit} traces; give at least 1"
        if self.largest_answer < 1:
            yield f"largest answer: {self.largest_answer} bytes; give at least 1"
        for name, value in (("click", self.click_probability), ("repeat", self.repeat_probability)):
            if not 0 <= value <= 1:
                yield f"{name} probability: {value} is no probability; give 0 to 1"
        if self.retries < 0:
            yield f"retries: {self.retries}; give 0 or more"
        if not 0 <= self.seed < 1 << 64:
            yield f"seed: {self.seed} does not fit; give 0 to 2^64 - 1"
        if self.metrics_port is not None and not 0 <= self.metrics_port < 65_536:
            yield f"metrics port: {self.metrics_port} is no port; give 0 to 65535"

    def _header_problems(self) -> Iterator[str]:
        for name, value in self.all_headers().items():
            if not HEADER.fullmatch(name.lower()):
                yield f"headers: '{name}' is no header's name; use letters, digits and - _ ."
            elif not (value.isascii() and value.isprintable()):
                yield f"headers: the value of '{name}' has characters that no header can carry; use printable ASCII"


def _is_http(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def read_token(file: Path | None) -> str | None:
    """The token in a file; None where there is none to be read."""
    if file is None:
        return None
    try:
        return file.read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
