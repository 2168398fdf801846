"""Which services a simulated system has, what each can do and whom it calls; the description is a YAML file."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cache
from importlib import resources
from math import log
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    field_validator,
    model_validator,
)

from vivace.profile.document import parse_document
from vivace.profile.model import Duration
from vivace.profile.refusal import near, refusal, shown
from vivace.profile.validation import validate

P99: Final = 2.3263478740408408
"""So many standard deviations above the median is the 99th percentile."""
ENDPOINT: Final = re.compile(r"[A-Z]+ /\S*|[\w.-]+/[\w.-]+")
MOST_NAMES: Final = 2
KINDS: Final = ("amount", "count", "flag", "id", "ids", "share")


class Language(StrEnum):
    """What a service is written in; decides its SDK, its scopes and what its exceptions look like."""

    DOTNET = "dotnet"
    GO = "go"
    JAVA = "java"
    NODEJS = "nodejs"
    PYTHON = "python"
    RUBY = "ruby"
    RUST = "rust"


def _read_values(value: object) -> str | tuple[str, ...]:
    """The name of a kind of values, or a list of words; a validator."""
    if isinstance(value, str) and value in KINDS:
        return value
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        return tuple(value)
    raise refusal(f"is {shown(value)}, must be one of {', '.join(KINDS)}, or a list of words", "choose one of them")


def _named(value: object) -> object:
    """A list of names as a mapping of them to nothing; so is what a mapping leaves empty. A validator."""
    if isinstance(value, list):
        return {str(name): {} for name in value}
    if isinstance(value, dict):
        return {name: {} if inner is None else inner for name, inner in value.items()}
    return value


Milliseconds: TypeAlias = Annotated[float, Field(gt=0, le=60_000)]
Weight: TypeAlias = Annotated[float, Field(ge=0, le=1e9)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Texts: TypeAlias = Annotated[tuple[str, ...], Field(strict=False)]
Values: TypeAlias = Annotated[
    Literal["amount", "count", "flag", "id", "ids", "share"] | tuple[str, ...], PlainValidator(_read_values)
]
"""An attribute's values: a double, an int, a bool, a UUID, a list of short IDs, a double below 1; or these words."""


class Model(BaseModel):
    """Immutable, strict, and without fields nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Latency(Model):
    """How long an operation takes, beside what it waits for: log-normal."""

    p50: Duration = Field(examples=["12ms"])
    p99: Duration = Field(examples=["180ms"])

    @field_validator("p99")
    @classmethod
    def _at_least_p50(cls, value: float, info: ValidationInfo) -> float:
        median = info.data.get("p50")
        if median is not None and value < median:
            raise refusal("is shorter than p50", "raise p99 or lower p50", related=["p50"])
        return value

    @property
    def sigma(self) -> float:
        """Standard deviation of the duration's logarithm."""
        return log(self.p99 / self.p50) / P99


class Conduct(Model):
    """What an operation is like, beside its name; what is not given is as usual for its kind."""

    latency: Latency | None = None
    errors: Share | None = None
    """How often it fails by itself."""


class Endpoint(Conduct):
    """What a service answers."""

    weight: Weight | None = None
    """How often it is called among the service's endpoints; without it the first ones are called most."""


class FanOut(Model):
    """How many calls are made at once."""

    min: Annotated[int, Field(ge=1, le=1000)] = 1
    max: Annotated[int, Field(ge=1, le=1000)] = 1

    @model_validator(mode="before")
    @classmethod
    def _always_so_many(cls, value: object) -> object:
        return {"min": value, "max": value} if isinstance(value, int) else value

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.max < self.min:
            raise refusal(f"max {self.max} is below min {self.min}", "raise max or lower min")
        return self


class Call(Conduct):
    """An edge of the graph: a service calls another, or sends it messages through a topic."""

    weight: Weight = 1
    fan_out: FanOut = FanOut()
    endpoint: str | None = None
    """Of the callee; None: any."""
    only: Texts = ()
    """The caller's endpoints that make this call; none named: all of them."""
    topic: str | None = None
    """Asynchronously: by a message that the other consumes; nobody waits for it."""

    @model_validator(mode="before")
    @classmethod
    def _by_weight(cls, value: object) -> object:
        return {"weight": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


class Store(Model):
    """A database that a service owns; `operations` are query texts by summary, such as `SELECT products`."""

    system: str
    namespace: str
    address: str
    port: int
    own_ms: Milliseconds
    operations: dict[str, str] = Field(min_length=1)


class Service(Model):
    """One service; every list names the most frequent entry first."""

    ingress: Weight = 0
    """How often traces start here."""
    language: Annotated[Language, Field(strict=False)] = Language.GO
    versions: Texts = Field(("1.0.0",), min_length=1)
    instances: int = Field(2, ge=1, le=100)
    port: int = Field(8080, ge=1, le=65_535)
    own_ms: Milliseconds = 2.0
    """Median time that an endpoint takes, beside what it waits for."""
    endpoints: Annotated[dict[str, Endpoint], BeforeValidator(_named)] = Field({"GET /": Endpoint()}, min_length=1)
    """`METHOD /route` for HTTP, `package.Service/Method` for gRPC."""
    calls: dict[str, Call] = {}
    internal: Texts = ("validate", "process", "respond")
    stores: Annotated[tuple[Store, ...], Field(strict=False)] = ()
    external: dict[str, Milliseconds] = {}
    """`METHOD URL` of what others run, and its median time."""
    topics: dict[str, Texts] = {}
    """Topics it publishes to, and their consumers."""
    attributes: dict[str, Values] = {}
    """What its servers and functions tell about the business."""

    @field_validator("endpoints")
    @classmethod
    def _are_written_so(cls, endpoints: dict[str, Endpoint]) -> dict[str, Endpoint]:
        for name in endpoints:
            if not ENDPOINT.fullmatch(name) or name.count("{") > MOST_NAMES:
                raise refusal(
                    f"{shown(name)} is no endpoint",
                    "write METHOD /route with at most two {names}, or package.Service/Method",
                )
        if not any(endpoint.weight is None or endpoint.weight for endpoint in endpoints.values()):
            raise refusal("no endpoint has a weight above 0", "raise a weight, or leave them out")
        return endpoints

    @field_validator("external")
    @classmethod
    def _are_urls(cls, external: dict[str, float]) -> dict[str, float]:
        for call in external:
            if not re.fullmatch(r"[A-Z]+ https?://[^/\s]+/\S*", call) or call.count("{") > MOST_NAMES:
                raise refusal(f"{shown(call)} is no call", "write METHOD https://host/path, at most two {names} in it")
        return external


class Topology(Model):
    """A system of services that call each other, also in circles."""

    name: str = "app"
    cluster: str = "cluster-1"
    region: str = "eu-central-1"
    environment: str = "production"
    depth: int = Field(64, ge=1, le=1000)
    """A trace goes through at most so many services, one below the other."""
    downstream: Share = 0.7
    """Share of a service's steps that go to another service; the others stay in the service."""
    errors: Share | None = None
    """How often an operation fails by itself that does not say so."""
    cascade: Share | None = None
    """How many failures of what was called reach the caller; None: as usual for the kind of call."""
    reads_never_write: bool = False
    """What reads, by its method, does not call what writes."""
    services: dict[str, Service] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_connected(self) -> Self:
        if unknown := [problem for name in self.services for problem in self._unknown(name)]:
            raise refusal("; ".join(unknown), "name what is there, or describe it")
        if not any(service.ingress for service in self.services.values()):
            raise refusal(
                "no service has an ingress above 0, so no trace can start",
                "add `ingress: 1` to the service that is called from outside",
            )
        return self

    def _unknown(self, name: str) -> list[str]:
        """What a service refers to that is not there."""
        service, known = self.services[name], list(self.services)
        named = [*service.calls, *(consumer for topic in service.topics.values() for consumer in topic)]
        problems = [
            f"services.{name}: calls {other}, which is not described ({near(other, known)})"
            for other in named
            if other not in known
        ]
        for callee, call in service.calls.items():
            endpoints = list(self.services[callee].endpoints) if callee in known else [call.endpoint]
            if call.endpoint is not None and call.topic is None and call.endpoint not in endpoints:
                problems.append(f"services.{name}.calls.{callee}: {callee} has no endpoint {call.endpoint}")
            problems += [
                f"services.{name}.calls.{callee}.only: {name} has no endpoint {own}"
                for own in call.only
                if own not in service.endpoints
            ]
        return problems


@cache
def shop() -> Topology:
    """The built-in topology: an online shop of 19 services."""
    text = resources.files(__package__).joinpath("shop.yaml").read_text("utf-8")
    return validate(parse_document(text, "shop.yaml"), Topology)
