"""What is probed, where, how often and with how much patience; all of it checked before anything starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from urllib.parse import urlsplit

from vivace.errors import ConfigurationError

TENANT = "X-Scope-OrgID"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSettings:
    """One series of probes. ConfigurationError names everything that is wrong with it, a line for each."""

    query_url: str
    """Base URL of the query API."""
    template: Path
    """The .pb file that was replayed."""
    seed: int
    """Of the replay."""
    ledger: Path
    per_second: float = 1.0
    """Traces drawn at most."""
    patience_s: float = 30.0
    """After which a trace that is not there is missing."""
    timeout_s: float = 10.0
    """Of one reading."""
    tenant: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ConfigurationError("\n".join(problems))

    def all_headers(self) -> dict[str, str]:
        """Headers of every request."""
        return dict(self.headers) if self.tenant is None else {**self.headers, TENANT: self.tenant}

    def _problems(self) -> Iterator[str]:
        if urlsplit(self.query_url).scheme not in ("http", "https") or not urlsplit(self.query_url).hostname:
            yield f"query URL: '{self.query_url}' is no address; give one such as http://127.0.0.1:3200"
        for name, value in (("rate", self.per_second), ("patience", self.patience_s), ("timeout", self.timeout_s)):
            if not (isfinite(value) and value > 0):
                yield f"probes' {name}: {value} is not above zero; give a number above it"
