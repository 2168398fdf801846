"""What a run is told: profiles, target, output and the switches of the command line."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from vivace.errors import ConfigurationError
from vivace.profile.model import Profile
from vivace.query.configuration.settings import read_configuration

DEFAULT_SEED: Final = 1
SEED_BITS: Final = 48


class Activity(StrEnum):
    """Which halves of a test run: sending, asking, or both."""

    INGESTION = "ingestion"
    QUERY = "query"
    COMBINED = "combined"

    @property
    def sends(self) -> bool:
        return self is not Activity.QUERY

    @property
    def asks(self) -> bool:
        return self is not Activity.INGESTION


@dataclass(frozen=True)
class Endpoints:
    """Where a backend that exists is reached; all None: the embedded backend is the target."""

    otlp: str | None = None
    query: str | None = None
    metrics: str | None = None
    tenant: str | None = None

    @property
    def embedded(self) -> bool:
        return self.otlp is None and self.query is None


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """One run over one or more profiles. What the command line names goes before what a profile names."""

    profiles: tuple[Profile, ...]
    output: Path
    activity: Activity = Activity.COMBINED
    target_kind: str | None = None
    otlp_endpoint: str | None = None
    query_endpoint: str | None = None
    metrics_endpoint: str | None = None
    tenant: str | None = None
    seed: int | None = None
    workers: int | None = None
    calibrate: bool = True
    keep_target: bool = False
    dashboard: bool = True
    collect_logs: bool = True
    check_metrics: bool = False

    def __post_init__(self) -> None:
        if not self.profiles:
            raise ConfigurationError("no profile to run; name one, `vivace profiles list` shows them")
        if self.target_kind == "embedded" and (self.otlp_endpoint or self.query_endpoint):
            raise ConfigurationError("--target embedded: endpoints are named too; leave out one or the other")
        if self.target_kind == "endpoint" and not (self.otlp_endpoint or self.query_endpoint):
            raise ConfigurationError("--target endpoint: no endpoint; add --otlp-endpoint, --query-endpoint or both")
        check_host_and_port("--otlp-endpoint", self.otlp_endpoint)
        check_url("--query-endpoint", self.query_endpoint)
        check_url("--metrics-endpoint", self.metrics_endpoint)
        for profile in self.profiles:
            self._check_endpoints(profile)
            if self.activity.asks and profile.query.configuration is not None:
                read_configuration(Path(profile.query.configuration))  # refused before anything starts

    def endpoints(self, profile: Profile) -> Endpoints:
        """Where a profile's target is: as the command line says, else as the profile says, else embedded."""
        if self.target_kind == "embedded":
            return Endpoints()
        if self.otlp_endpoint or self.query_endpoint:
            return Endpoints(self.otlp_endpoint, self._query_url(), self.metrics_endpoint, self.tenant)
        told = profile.target
        if told is None or told.kind == "embedded":
            return Endpoints()
        query = told.query_endpoint.rstrip("/") if told.query_endpoint else None
        return Endpoints(told.otlp_endpoint, query, told.metrics_endpoint, self.tenant or told.tenant)

    def seed_of(self, profile: Profile) -> int:
        """The command line's seed, else the profile's, else 1.

        A backend that exists may hold what an earlier run has sent, so it gets IDs that no other run has.
        """
        if self.seed is not None:
            return self.seed
        if profile.telemetry.seed is not None:
            return profile.telemetry.seed
        return DEFAULT_SEED if self.endpoints(profile).embedded else secrets.randbits(SEED_BITS)

    def _query_url(self) -> str | None:
        return self.query_endpoint.rstrip("/") if self.query_endpoint else None

    def _check_endpoints(self, profile: Profile) -> None:
        if profile.target is not None and profile.target.kind == "kubernetes" and not self.otlp_endpoint:
            raise ConfigurationError(
                f"profile {profile.name}: target.kind: kubernetes is not available here; "
                "deploy the backend, and name it with --otlp-endpoint and --query-endpoint"
            )
        endpoints = self.endpoints(profile)
        if endpoints.embedded:
            return
        if self.activity.sends and endpoints.otlp is None:
            raise ConfigurationError("--otlp-endpoint is missing; name where to send, or choose --test-type query")
        if self.activity.asks and endpoints.query is None:
            raise ConfigurationError("--query-endpoint is missing; name where to ask, or choose --test-type ingestion")


def check_host_and_port(flag: str, address: str | None) -> None:
    """Refuses what is not host:port."""
    if address is None:
        return
    match = re.fullmatch(r"[^/\s]+:([0-9]{1,5})", address)
    if match is None or not 0 < int(match[1]) < 1 << 16:
        raise ConfigurationError(
            f"{flag} {address}: is not host:port; write it such as 127.0.0.1:4317, without http://"
        )


def check_url(flag: str, address: str | None) -> None:
    """Refuses what is not an HTTP address."""
    if address is None:
        return
    try:
        parts = urlsplit(address)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError(f"{flag} {address}: is not an HTTP address; write it such as http://127.0.0.1:3200")
