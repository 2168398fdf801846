"""What is asked, of whom, how often and by how many; all of it checked before anything starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from urllib.parse import urlsplit

from vivace.errors import ConfigurationError, QueryError
from vivace.query.bucket import TimeBucket
from vivace.query.plan import NamedQuery, PlanEntry
from vivace.send.settings import HEADER
from vivace.traceql.parser import parse


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySettings:
    """One query load. ConfigurationError names everything that is wrong with it, a line for each."""

    base_url: str
    """Of the query API, such as http://127.0.0.1:3200."""
    queries: tuple[NamedQuery, ...]
    buckets: tuple[TimeBucket, ...]
    plan: tuple[PlanEntry, ...]
    queries_per_second: float
    vus_min: int
    vus_max: int
    """Users at most; each waits for the answers to its search, and to the click that may follow, before the next."""
    limit: int = 20
    """Traces that a search returns at most."""
    click_probability: float = 0.0
    """How often the first trace found is opened."""
    seed: int = 0
    start_ns: int | None = None
    """The schedule's zero in Unix nanoseconds; None: as soon as the process is ready."""
    duration_s: float
    timeout_s: float = 10.0
    """Of one request."""
    tenant: str | None = None
    bearer: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    largest_answer: int = 32 * 2**20
    """Bytes; a larger answer counts as unreadable."""
    ledger: Path

    def __post_init__(self) -> None:
        problems = [*self._load_problems(), *self._question_problems(), *self._header_problems()]
        if problems:
            raise ConfigurationError("\n".join(problems))

    def all_headers(self) -> dict[str, str]:
        """Sent with every request."""
        headers = dict(self.headers)
        if self.tenant is not None:
            headers["X-Scope-OrgID"] = self.tenant
        if self.bearer is not None:
            headers["Authorization"] = f"Bearer {self.bearer}"
        return headers

    def _load_problems(self) -> Iterator[str]:
        if not _is_http(self.base_url):
            yield f"base URL: '{self.base_url}' is no http address; give one, such as http://127.0.0.1:3200"
        positive = {"queries per second": self.queries_per_second, "duration": self.duration_s}
        for name, value in (positive | {"timeout": self.timeout_s}).items():
            if not (isfinite(value) and value > 0):
                yield f"{name}: {value} is not above zero; give a number that is"
        if self.vus_min < 1 or self.vus_max < self.vus_min:
            yield f"vus: {self.vus_min} to {self.vus_max} is no range; give 1 or more, and no more than the maximum"
        if self.limit < 1:
            yield f"limit: {self.limit} traces; give at least 1"
        if self.largest_answer < 1:
            yield f"largest answer: {self.largest_answer} bytes; give at least 1"
        if not 0 <= self.click_probability <= 1:
            yield f"click probability: {self.click_probability} is no probability; give 0 to 1"
        if not 0 <= self.seed < 1 << 64:
            yield f"seed: {self.seed} does not fit; give 0 to 2^64 - 1"

    def _question_problems(self) -> Iterator[str]:
        yield from _repeated("queries", [query.name for query in self.queries])
        yield from _repeated("buckets", [bucket.name for bucket in self.buckets])
        for query in self.queries:
            yield from _search_problems(query)
        for bucket in self.buckets:
            yield from _bucket_problems(bucket)
        if not self.plan:
            yield "plan: has no entries; name at least one query and its bucket"
        queries, buckets = {query.name for query in self.queries}, {bucket.name for bucket in self.buckets}
        for number, entry in enumerate(self.plan, 1):
            if entry.query not in queries:
                yield f"plan: entry {number} names the query '{entry.query}', which there is not; add it to queries"
            if entry.bucket not in buckets:
                yield f"plan: entry {number} names the bucket '{entry.bucket}', which there is not; add it to buckets"

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


def _repeated(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{what}: '{name}' is there {count} times; give each a name of its own"


def _search_problems(query: NamedQuery) -> Iterator[str]:
    try:
        if parse(query.traceql).is_metrics:
            yield f"queries: '{query.name}' asks for metrics; give a search"
    except QueryError as error:
        yield f"queries: '{query.name}': {error}; correct the TraceQL"


def _bucket_problems(bucket: TimeBucket) -> Iterator[str]:
    if not 0 <= bucket.age_start_s < bucket.age_end_s < float("inf"):
        yield (
            f"buckets: '{bucket.name}' reaches from {bucket.age_end_s} s ago until {bucket.age_start_s} s ago; "
            "let it end 0 s ago or earlier, and begin before it ends"
        )
    if not (isfinite(bucket.weight) and bucket.weight > 0):
        yield f"buckets: '{bucket.name}' has the weight {bucket.weight}; give a number above zero"
