"""The configuration of a query load, field by field. Fields are camelCase in YAML and snake_case here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from vivace.errors import QueryError
from vivace.pace.wording import EXAMPLE, parse_stage
from vivace.profile.model import Duration, Name
from vivace.profile.objective import DEFAULT_OBJECTIVES, Objectives
from vivace.profile.refusal import refusal, shown
from vivace.profile.validation import Configuration
from vivace.query.consistency import TRACE_ID
from vivace.query.kind import Kind
from vivace.traceql.identifier import parse_identifier
from vivace.traceql.parser import parse
from vivace.units import parse_duration, parse_size

HOST_AND_PORT: Final = re.compile(r"[^/\s]+:[0-9]{1,5}")
DEFAULT_METRICS_PORT: Final = 2112


def read_age(value: object, info: ValidationInfo) -> float:
    """Seconds of a duration's text, which may be zero; a validator."""
    if isinstance(value, float) and info.mode == "python":
        return value
    try:
        return parse_duration(value if isinstance(value, str) else "")
    except ValueError as error:
        remedy = "give a number with its unit, such as 10s or 5m"
        raise refusal(f"is {shown(value)}, must be a duration", remedy) from error


def read_size(value: object, info: ValidationInfo) -> int:
    """Bytes of a size's text; a validator."""
    if isinstance(value, int) and not isinstance(value, bool) and info.mode == "python":
        return value
    try:
        size = parse_size(value if isinstance(value, str) else "")
    except ValueError as error:
        raise refusal(f"is {shown(value)}, must be a size", "give a number with its unit, such as 32MiB") from error
    if size < 1:
        raise refusal("is zero", "give a number with its unit, such as 32MiB")
    return size


def check_address(value: str) -> str:
    """Refuses what is no http or https address; a validator."""
    try:
        parts = urlsplit(value)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise refusal(f"{shown(value)} is not an address", "write it as a URL, such as http://127.0.0.1:3200")
    return value


Age = Annotated[float, BeforeValidator(read_age)]
Size = Annotated[int, BeforeValidator(read_size)]
Address = Annotated[str, AfterValidator(check_address)]
Probability = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
KindName: TypeAlias = Literal[
    "search", "trace", "tags", "tag_values", "metrics_range", "metrics_instant", "streaming_search"
]


class Tempo(Configuration):
    """Where the target's query API is."""

    query_endpoint: Annotated[Address, Field(examples=["http://127.0.0.1:3200"])]
    grpc_endpoint: str | None = None
    ca_file: str | None = None
    insecure_skip_verify: bool = False
    headers: Mapping[str, str] = Field(default_factory=dict)

    @field_validator("grpc_endpoint")
    @classmethod
    def _host_and_port(cls, value: str | None) -> str | None:
        if value is not None and not HOST_AND_PORT.fullmatch(value):
            raise refusal(f"{shown(value)} is not an address", "write it as host:port, such as 127.0.0.1:9095")
        return value


class QueryModel(Configuration):
    """How often is asked, by how many, and for how long."""

    delay: Age | None = None
    """Accepted, and of no effect."""
    total_concurrency: Annotated[int, Field(ge=1, le=100_000, examples=[50])]
    target_qps: Annotated[float, Field(gt=0, alias="targetQPS", examples=[50])]
    burst_multiplier: Annotated[float, Field(gt=0)] = 2.0
    qps_multiplier: Annotated[float, Field(gt=0)] = 1.0
    limit: Annotated[int, Field(ge=1, le=262_144)] = 20
    click_probability: Probability = 0.5
    model: Literal["closed", "open"] = "closed"
    """closed: each worker is held back by a limiter of its own. open: queries are due at the rate, whatever happens."""
    schedule: tuple[str, ...] | None = None
    """Of an open model, stage by stage, such as "ramp 10/s -> 100/s for 1m"; before the target QPS."""
    repeat_probability: Probability = 0.0
    retries: Annotated[int, Field(ge=0, le=100)] = 0
    timeout: Duration = 10.0
    duration: Duration | None = None
    """None: until it is stopped."""
    largest_answer: Size = 32 * 2**20
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    data_age: Age = 0.0
    """For how long the target has had telemetry when the load starts."""
    replay_factor: Annotated[float, Field(gt=0)] = 1.0
    """How much quicker a recorded plan is asked than it was recorded."""

    @field_validator("schedule")
    @classmethod
    def _stages(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value == ():
            raise refusal("is empty", f'give at least one stage, such as "{EXAMPLE}"')
        for number, text in enumerate(value or (), 1):
            try:
                parse_stage(text)
            except ValueError as error:
                raise refusal(f"stage {number} {error}", f'write it like "{EXAMPLE}"') from error
        return value


class TimeBucketModel(Configuration):
    """From `ageEnd` ago until `ageStart` ago."""

    name: Annotated[str, Field(min_length=1)]
    age_start: Age
    age_end: Age
    weight: Weight = 1.0

    @field_validator("age_end")
    @classmethod
    def _older(cls, value: float, info: ValidationInfo) -> float:
        start = info.data.get("age_start")
        if start is not None and value <= start:
            remedy = "let ageEnd be the longer of the two: it is where the window begins"
            raise refusal(f"is {value:g} s, not above ageStart ({start:g} s)", remedy, related=["ageStart"])
        return value


class QueryDefinition(Configuration):
    """Something that can be asked."""

    name: Annotated[str, Field(min_length=1)]
    kind: KindName = "search"
    traceql: str = ""
    tag: str = ""
    step: Duration | None = None
    trace_id: str | None = None
    weight: Weight = 1.0

    @field_validator("traceql")
    @classmethod
    def _valid(cls, value: str, info: ValidationInfo) -> str:
        kind = Kind(info.data.get("kind", Kind.SEARCH))
        try:
            is_metrics = parse(value).is_metrics
        except QueryError as error:
            raise refusal(f"is not valid: {error}", "correct the TraceQL") from error
        if is_metrics and not kind.is_metrics:
            raise refusal("asks for metrics", "give a search, or say kind: metrics_range", related=["kind"])
        if kind.is_metrics and not is_metrics:
            raise refusal("does not ask for metrics", "end it with an aggregate, such as | rate()", related=["kind"])
        return value

    @field_validator("tag")
    @classmethod
    def _identifier(cls, value: str) -> str:
        try:
            parse_identifier(value)
        except QueryError as error:
            raise refusal(f"is not valid: {error}", "name one, such as resource.service.name") from error
        return value

    @field_validator("trace_id")
    @classmethod
    def _trace_id(cls, value: str | None) -> str | None:
        if value is not None and not TRACE_ID.fullmatch(value):
            raise refusal(f"{shown(value)} is no trace ID", "give up to 32 digits in hex")
        return value


class StepModel(Configuration):
    """One thing that a user does on a journey: asks a query, opens the first trace found, or asks again."""

    query: str | None = None
    action: Literal["ask", "open", "repeat"] = "ask"
    probability: Probability = 1.0
    think: Age = 0.0


class JourneyModel(Configuration):
    """What one user does, one step after the other."""

    name: Annotated[str, Field(min_length=1)]
    steps: tuple[StepModel, ...]
    weight: Weight = 1.0


class PlanEntryModel(Configuration):
    """One turn of the plan; recorded ones say when, and how far back they looked."""

    query_name: str
    bucket_name: str | None = None
    at: Age | None = None
    age_start: Age | None = None
    age_end: Age | None = None


class Sent(Configuration):
    """What the target has been sent, to be asked for and to be compared with."""

    template: str
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    ledger: str
    exclusive: bool = False


class Metrics(Configuration):
    """Where the load's own Prometheus metrics are served."""

    port: Annotated[int, Field(ge=0, le=65_535)] = DEFAULT_METRICS_PORT


class QueryConfiguration(Configuration):
    """The whole file."""

    name: Name | None = None
    namespace: str = ""
    tenant_id: str | None = None
    tempo: Tempo
    query: QueryModel
    time_buckets: tuple[TimeBucketModel, ...] = ()
    queries: tuple[QueryDefinition, ...]
    journeys: tuple[JourneyModel, ...] = ()
    execution_plan: tuple[PlanEntryModel, ...] | None = None
    """None: made from the weights of queries, journeys and buckets."""
    sent: Sent | None = None
    metrics: Metrics = Metrics()
    objectives: Objectives = tuple(DEFAULT_OBJECTIVES.values())


CONFIGURATION_PATH: Final = Path("/config/config.yaml")
