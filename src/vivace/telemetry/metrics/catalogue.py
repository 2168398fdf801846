"""What can be measured: the metrics of hosts, Kubernetes, containers and services, and those of applications beyond."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from functools import cache
from importlib import resources
from itertools import zip_longest
from math import gcd
from typing import Annotated, Final, Literal, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, Field

APPLICATIONS: Final = "service"
"""The resources that metrics of applications come from: instances of services."""
STRIDE: Final = 37
"""Which steps a service takes through what it can measure, so that few metrics are of many sorts."""


class Kind(IntEnum):
    """The data of a metric."""

    GAUGE = 0
    COUNTER = 1
    UPDOWN = 2
    HISTOGRAM = 3
    EXPONENTIAL = 4


KINDS: Final = {kind.name.lower(): kind for kind in Kind}
DISTRIBUTIONS: Final = (Kind.HISTOGRAM, Kind.EXPONENTIAL)
Value: TypeAlias = str | int
Values: TypeAlias = Annotated[tuple[Value, ...], Field(min_length=1)]


class Model(BaseModel):
    """Immutable, and without fields nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Attribute(Model):
    """An attribute of data points; `key` when it is not called as in the catalogue."""

    key: str = ""
    values: Values


class Measure(Model):
    """What one metric is and which values it has."""

    kind: Literal["gauge", "counter", "updown", "histogram", "exponential"]
    unit: str
    about: str
    double: bool = False
    by: tuple[str, ...] = ()
    median: float = Field(default=1, gt=0)
    """Of gauges and sums that fall: their value; of histograms: what is recorded."""
    spread: float = Field(default=0.5, ge=0)
    """Standard deviation of the logarithm."""
    most: float = float("inf")
    chance: float | None = Field(default=None, ge=0, le=1)
    """Of a one, in metrics that are one or zero."""
    rate: float = Field(default=1, gt=0)
    """Of counters: what is added each second; of histograms: how often they record."""


class Source(Model):
    """What measures, and of which resources."""

    resource: str
    scope: str
    version: str
    metrics: dict[str, Measure]


class Applications(Model):
    """What metrics of applications are made of."""

    objects: tuple[str, ...]
    components: tuple[str, ...]
    measures: dict[str, Measure]


class Catalogue(Model):
    """Everything that can be measured."""

    attributes: dict[str, Attribute | Values | int]
    """Values by name; a number stands for all numbers below it."""
    sources: tuple[Source, ...]
    applications: Applications

    def attribute(self, name: str) -> tuple[str, tuple[Value, ...]]:
        """Key and values."""
        match self.attributes[name]:
            case Attribute() as attribute:
                return attribute.key or name, attribute.values
            case int() as count:
                return name, tuple(range(count))
            case values:
                return name, values


class Definition(Model):
    """One metric."""

    name: str
    measure: Measure
    resource: str
    """A kind of resource, see inventory.py; `service:NAME` for instances of one service."""
    scope: str
    version: str

    @property
    def kind(self) -> Kind:
        return KINDS[self.measure.kind]

    @property
    def distribution(self) -> bool:
        """Whether its points are histograms."""
        return self.kind in DISTRIBUTIONS


@cache
def catalogue() -> Catalogue:
    """The built-in catalogue."""
    text = resources.files(__package__).joinpath("catalogue.yaml").read_text("utf-8")
    return Catalogue.model_validate(yaml.safe_load(text))


def definitions(count: int, services: tuple[str, ...]) -> list[Definition]:
    """So many metrics: of every source some, then those of applications; fewer when there are no more."""
    known = _interleaved(catalogue().sources)[:count]
    return known + [application(number, services) for number in range(min(count, available(services)) - len(known))]


def conventional() -> int:
    """How many metrics the semantic conventions' part of the catalogue has."""
    return sum(len(source.metrics) for source in catalogue().sources)


def available(services: tuple[str, ...]) -> int:
    """How many metrics there can be in all."""
    applications = catalogue().applications
    names = len(applications.objects) * len(applications.measures) * (1 + len(applications.components))
    return conventional() + len(services) * names


def application(number: int, services: tuple[str, ...]) -> Definition:
    """A metric of an application; each number gives another."""
    applications = catalogue().applications
    rest, service = divmod(number, len(services))
    sorts = len(applications.objects) * len(applications.measures)
    component, place = divmod(rest, sorts)
    sort = (place * _stride(sorts) + service * len(applications.measures)) % sorts
    measure, item = divmod(sort, len(applications.objects))
    name = list(applications.measures)[measure]
    parts = ["app", services[service].replace("-", "_"), applications.objects[item], name]
    if component:
        parts.insert(2, applications.components[component - 1])
    return Definition(
        name=".".join(parts),
        measure=_told(applications.measures[name], applications.objects[item]),
        resource=f"{APPLICATIONS}:{services[service]}",
        scope=f"{services[service]}.metrics",
        version="1.4.0",
    )


def _told(measure: Measure, item: str) -> Measure:
    unit = measure.unit.replace("item", item)
    return measure.model_copy(update={"unit": unit, "about": f"{item.capitalize()}: {measure.about.lower()}"})


@cache
def _stride(sorts: int) -> int:
    """Steps of this length reach every sort."""
    return next(step for step in range(STRIDE, STRIDE + sorts) if gcd(step, sorts) == 1)


def _interleaved(sources: tuple[Source, ...]) -> list[Definition]:
    """One metric of each source in turn."""
    turns = zip_longest(*(_of(source) for source in sources))
    return [definition for turn in turns for definition in turn if definition is not None]


def _of(source: Source) -> Iterator[Definition]:
    measures: Mapping[str, Measure] = source.metrics
    for name, measure in measures.items():
        yield Definition(
            name=name, measure=measure, resource=source.resource, scope=source.scope, version=source.version
        )
