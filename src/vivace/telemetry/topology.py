"""Which services a simulated system has, what each can do and whom it calls; the description is a YAML file."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Annotated, Literal, Self, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator


class Language(StrEnum):
    """What a service is written in; decides its SDK, its scopes and what its exceptions look like."""

    DOTNET = "dotnet"
    GO = "go"
    JAVA = "java"
    NODEJS = "nodejs"
    PYTHON = "python"
    RUBY = "ruby"
    RUST = "rust"


Milliseconds: TypeAlias = Annotated[float, Field(gt=0, le=60_000)]
Weight: TypeAlias = Annotated[float, Field(ge=0)]
Values: TypeAlias = Literal["amount", "count", "flag", "id", "ids", "share"] | tuple[str, ...]
"""An attribute's values: a double, an int, a bool, a UUID, a list of short IDs, a double below 1; or these words."""


class Model(BaseModel):
    """Immutable, and without fields nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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
    language: Language
    versions: tuple[str, ...] = Field(min_length=1)
    instances: int = Field(ge=1, le=100)
    port: int
    own_ms: Milliseconds
    """Median time that an endpoint takes, beside what it waits for."""
    endpoints: tuple[str, ...] = Field(min_length=1)
    """`METHOD /route` for HTTP, `package.Service/Method` for gRPC."""
    calls: dict[str, Weight] = {}
    internal: tuple[str, ...] = Field(min_length=1)
    stores: tuple[Store, ...] = ()
    external: dict[str, Milliseconds] = {}
    """`METHOD URL` of what others run, and its median time."""
    topics: dict[str, tuple[str, ...]] = {}
    """Topics it publishes to, and their consumers."""
    attributes: dict[str, Values] = {}
    """What its servers and functions tell about the business."""


class Topology(Model):
    """A system of services that call each other."""

    name: str
    cluster: str
    region: str
    environment: str
    services: dict[str, Service] = Field(min_length=1)

    @model_validator(mode="after")
    def _refers_to_known_services(self) -> Self:
        for name, service in self.services.items():
            named = {*service.calls, *(consumer for topic in service.topics.values() for consumer in topic)}
            if unknown := named - self.services.keys():
                raise ValueError(f"services.{name}: calls {', '.join(sorted(unknown))}, which is not described")
        if not any(service.ingress for service in self.services.values()):
            raise ValueError("services: none has ingress above 0, so no trace can start")
        return self


@cache
def shop() -> Topology:
    """The built-in topology: an online shop of 19 services."""
    text = resources.files(__package__).joinpath("shop.yaml").read_text("utf-8")
    return Topology.model_validate(yaml.safe_load(text))
