"""A profile: what to test, validated whole and frozen. Fields are camelCase in YAML and snake_case here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from vivace.profile.objective import DEFAULT_OBJECTIVES, Objectives
from vivace.profile.refusal import refusal, shown
from vivace.profile.validation import Configuration
from vivace.units import parse_duration

DEFAULT_SECONDS: Final = 300.0
LONGEST_NAME: Final = 63
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MEMORY: Final = re.compile(r"[0-9]+(\.[0-9]+)?([kMGTPE]|[KMGTPE]i)?")
_CPU: Final = re.compile(r"[0-9]+(\.[0-9]+)?m?")

TraceProfile: TypeAlias = Literal["small", "medium", "large", "xlarge"]
"""Complexity of traces: 8-15, 25-40, 50-80 or 100-150 spans per trace."""


def read_duration(value: object, info: ValidationInfo) -> float:
    """Seconds of a duration's text, or of a number in code; a validator."""
    remedy = "give a number with its unit, such as 30s, 5m or 1h30m"
    if isinstance(value, float) and info.mode == "python":
        return value
    try:
        seconds = parse_duration(value if isinstance(value, str) else "")
    except ValueError as error:
        raise refusal(f"is {shown(value)}, must be a duration", remedy) from error
    if seconds == 0:
        raise refusal("is zero", remedy)
    return seconds


def check_name(name: str) -> str:
    """Refuses a name that cannot be part of a file's name everywhere; a validator."""
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        message = f"{shown(name)} cannot be part of a file's name"
        raise refusal(message, f"use at most {LONGEST_NAME} letters, digits, dots, dashes and underscores")
    return name


def check_memory(quantity: str) -> str:
    """Refuses what Kubernetes would not take as an amount of memory; a validator."""
    if not _MEMORY.fullmatch(quantity):
        raise refusal(f"{shown(quantity)} is not an amount of memory", "write it as Kubernetes does, such as 8Gi")
    return quantity


def check_cpu(quantity: str) -> str:
    """Refuses what Kubernetes would not take as a number of CPUs; a validator."""
    if not _CPU.fullmatch(quantity):
        raise refusal(f"{shown(quantity)} is not a number of CPUs", "write it as Kubernetes does, such as 1000m or 2")
    return quantity


Duration = Annotated[float, BeforeValidator(read_duration)]
Name = Annotated[str, AfterValidator(check_name)]
Memory = Annotated[str, AfterValidator(check_memory)]
Cpu = Annotated[str, AfterValidator(check_cpu)]


class Resources(Configuration):
    """What a deployed Tempo may use."""

    memory: Memory | None = Field(None, examples=["8Gi"])
    cpu: Cpu | None = Field(None, examples=["1000m"])


class Tempo(Configuration):
    """How Tempo is deployed where the target is Kubernetes."""

    variant: Literal["monolithic", "stack"] = Field("monolithic", examples=["monolithic"])
    resources: Resources | None = None


class VirtualUsers(Configuration):
    """How many requests may be in flight, and as many queries: from min, growing to max."""

    min: Annotated[int, Field(ge=1, examples=[5])]
    max: Annotated[int, Field(ge=1, le=100_000, examples=[50])]

    @field_validator("max")
    @classmethod
    def _at_least_min(cls, value: int, info: ValidationInfo) -> int:
        least = info.data.get("min")
        if least is not None and value < least:
            raise refusal(f"is {value}, less than min ({least})", "raise max or lower min", related=["min"])
        return value


class Ingestion(Configuration):
    """What is sent: megabytes (10**6 bytes) of OTLP per second, in traces of a complexity."""

    mb_per_second: Annotated[float, Field(gt=0, examples=[1.2])]
    trace_profile: Annotated[TraceProfile, Field(examples=["medium"])]


class Querying(Configuration):
    """How often is asked."""

    queries_per_second: Annotated[float, Field(gt=0, examples=[25])]


class Load(Configuration):
    """The load of a test and how long it lasts, in seconds."""

    duration: Duration = DEFAULT_SECONDS
    vus: Annotated[VirtualUsers, Field()]
    ingestion: Ingestion
    query: Querying


class Telemetry(Configuration):
    """The telemetry that is made for the test; what is absent is chosen to suit the load."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    traces: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    traces_per_request: Annotated[int, Field(ge=1, le=100_000)] | None = None


class QuerySettings(Configuration):
    """How queries are asked: traces returned per search, how often one of them is opened, and patience in seconds."""

    limit: Annotated[int, Field(ge=1, le=100_000)] = 20
    click_probability: Annotated[float, Field(ge=0, le=1)] = 0.5
    repeat_probability: Annotated[float, Field(ge=0, le=1)] = 0.01
    """How often a question is asked once more at once, to see whether the answer is the same."""
    retries: Annotated[int, Field(ge=0, le=100)] = 0
    timeout: Duration = 10.0
    configuration: str | None = None
    """The file of a query load that is asked instead of the built-in one; its endpoint and duration are the run's."""


class TargetSettings(Configuration):
    """What is tested; endpoints are those of a backend that exists."""

    kind: Annotated[Literal["embedded", "endpoint", "kubernetes"], Field(examples=["endpoint"])]
    otlp_endpoint: str | None = Field(None, examples=["127.0.0.1:4317"])
    query_endpoint: str | None = Field(None, examples=["http://127.0.0.1:3200"])
    metrics_endpoint: str | None = Field(None, examples=["http://127.0.0.1:3200/metrics"])
    tenant: str | None = None
    headers: Mapping[str, str] = Field(default_factory=dict)

    @field_validator("otlp_endpoint")
    @classmethod
    def _host_and_port(cls, value: str | None, info: ValidationInfo) -> str | None:
        _only_for_endpoints(value, info)
        if value is not None and not re.fullmatch(r"[^/\s]+:[0-9]{1,5}", value):
            raise refusal(f"{shown(value)} is not an address", "write it as host:port, such as 127.0.0.1:4317")
        return value

    @field_validator("query_endpoint", "metrics_endpoint")
    @classmethod
    def _http_address(cls, value: str | None, info: ValidationInfo) -> str | None:
        _only_for_endpoints(value, info)
        if value is not None and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
            raise refusal(f"{shown(value)} is not an address", "write it as a URL, such as http://127.0.0.1:3200")
        return value

    @model_validator(mode="after")
    def _some_endpoint(self) -> Self:
        if self.kind == "endpoint" and self.otlp_endpoint is None and self.query_endpoint is None:
            raise refusal("names no endpoint", "add otlpEndpoint, queryEndpoint or both")
        return self


def _only_for_endpoints(value: str | None, info: ValidationInfo) -> None:
    kind = info.data.get("kind", "endpoint")
    if value is not None and kind != "endpoint":
        raise refusal(f"is given, but the target's kind is {kind}", "set kind: endpoint, or remove it", ["kind"])


class Profile(Configuration):
    """What to test: load, duration, target, objectives. `load` may be written for `k6`."""

    name: Annotated[Name, Field(examples=["medium"])]
    description: str = ""
    tempo: Tempo = Tempo()
    load: Annotated[Load, Field(validation_alias=AliasChoices("k6", "load"))]
    target: TargetSettings | None = None
    telemetry: Telemetry = Telemetry()
    query: QuerySettings = QuerySettings()
    objectives: Objectives = tuple(DEFAULT_OBJECTIVES.values())
