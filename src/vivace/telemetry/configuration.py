"""The generator's configuration file: what to generate, how much, and where to write it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeVar

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from vivace.profile.expansion import from_environment
from vivace.profile.model import Name
from vivace.profile.refusal import near, refusal, shown
from vivace.profile.validation import load_document
from vivace.telemetry.generators import Attributes
from vivace.telemetry.invent import invent
from vivace.telemetry.logs.settings import LogsSettings
from vivace.telemetry.metrics.settings import MetricsSettings
from vivace.telemetry.settings import Sizes, TraceSettings
from vivace.telemetry.topology import Model, Share, Texts, Topology, shop
from vivace.units import parse_size

REQUEST_SPANS: Final = 5000
REQUEST_BYTES: Final = 4_000_000
"""What a request holds at most, where it is not said how many traces it has."""
REQUEST_TRACES: Final = 100
SPAN_BYTES: Final = 350
LARGEST_REQUEST: Final = 1 << 30

S = TypeVar("S", MetricsSettings, LogsSettings)


def read_size(value: object) -> int:
    """Bytes of a size's text; a validator."""
    try:
        return parse_size(value if isinstance(value, str) else "")
    except ValueError as error:
        raise refusal(f"is {shown(value)}, must be a size", "give a number with its unit, such as 10GB") from error


class Output(Model):
    """Where files are written."""

    directory: str = Field("generated", min_length=1, examples=["./generated"])
    prefix: Name = Field("telemetry", examples=["telemetry"])
    compression: Literal["none", "zstd"] = "none"
    with_json: bool = Field(False, alias="json")
    """Write JSON beside every template."""
    limit: Annotated[int, BeforeValidator(read_size)] = Field(10_000_000_000, examples=["10GB"])
    """More bytes than this are not written."""

    @property
    def path(self) -> Path:
        """What all files' names start with."""
        return Path(self.directory) / self.prefix


class SpanCount(Model):
    """Spans per trace: normal, but at least one."""

    avg_per_trace: float = Field(15, ge=1, le=1_000_000, examples=[15])
    std_dev: float = Field(5, ge=0, examples=[5])

    @field_validator("std_dev")
    @classmethod
    def _leaves_spans(cls, value: float, info: ValidationInfo) -> float:
        mean = info.data.get("avg_per_trace")
        if mean is not None and value > mean:
            raise refusal(
                f"is {value:g}, more than avg_per_trace ({mean:g}): too many traces would have no span",
                "lower std_dev or raise avg_per_trace",
                related=["avg_per_trace"],
            )
        return value


class Services(Model):
    """How many services there are; the calls between them are made up."""

    count: int | None = Field(None, ge=1, le=1000, examples=[5])
    names: Texts = Field((), examples=['["api", "db", "cache"]'])
    ingress: Texts = Field((), examples=['["api"]'])
    """Where traces start; else at the first service."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.count is None and not self.names:
            raise refusal("says neither count nor names", "give one of them")
        if len(set(self.names)) < len(self.names) or not all(name.strip() for name in self.names):
            raise refusal("names has empty names, or one twice", "name each service once", related=["names"])
        if self.count is not None and self.count < len(self.names):
            message = f"count is {self.count}, but there are {len(self.names)} names"
            raise refusal(message, "raise count, or leave it out", related=["count"])
        if unknown := [name for name in self.ingress if name not in self.names]:
            message = f"ingress names {unknown[0]}, which is not among names"
            raise refusal(message, near(unknown[0], self.names), related=["ingress"])
        return self


class Sampling(Model):
    """Head sampling: the traces are those that a sampler kept, and say so."""

    share: float = Field(gt=1e-9, le=1, examples=[0.1])


class Traces(Model):
    """Which traces to generate."""

    count: int = Field(10_000, ge=1, le=1_000_000_000, examples=[10_000])
    spans: SpanCount = SpanCount()
    services: Services | None = None
    topology: Topology | None = None
    """A graph of services; with neither this nor `services`, an online shop."""
    downstream_share: Share | None = None
    """Share of a service's steps that go to another service; the others stay in the service."""
    errors: Share | None = None
    """How often an operation fails by itself, where the topology does not say."""
    cascade: Share | None = None
    """How many failures of what was called reach the caller."""
    sampling: Sampling | None = None
    attributes: Attributes = Attributes()
    traces_per_request: int | None = Field(None, ge=1, le=10_000, examples=[20])

    @model_validator(mode="after")
    def _are_possible(self) -> Self:
        if self.services and self.topology:
            raise refusal("has both services and topology", "keep one of them", related=["topology"])
        bytes_per_request = (self.traces_per_request or 1) * self.spans.avg_per_trace * self._span_bytes
        if bytes_per_request > LARGEST_REQUEST:
            raise refusal(
                f"a request would have about {bytes_per_request / 1e9:.1f} GB, over the {LARGEST_REQUEST / 1e9:.1f} GB "
                "that one can have",
                "lower traces_per_request, spans or the size of attributes",
            )
        return self

    @property
    def _span_bytes(self) -> int:
        return SPAN_BYTES + self.attributes.span_bytes

    def settings(self, seed: int) -> TraceSettings:
        """What they are generated from."""
        mean = self.spans.avg_per_trace
        fitting = min(REQUEST_SPANS / mean, REQUEST_BYTES / (mean * self._span_bytes), REQUEST_TRACES)
        return TraceSettings(
            traces=self.count,
            traces_per_request=self.traces_per_request or max(1, int(fitting)),
            seed=seed,
            normal=Sizes.normal(mean, self.spans.std_dev),
            topology=self._graph(seed),
            attributes=self.attributes,
            sampling=self.sampling.share if self.sampling else None,
        )

    def _graph(self, seed: int) -> Topology:
        named = self.services
        graph = self.topology or shop()
        if named is not None:
            graph = invent(named.count or len(named.names), named.names, named.ingress, seed)
        said = {"downstream": self.downstream_share, "errors": self.errors, "cascade": self.cascade}
        return graph.model_copy(update={name: value for name, value in said.items() if value is not None})


class GeneratorConfiguration(Model):
    """The whole file."""

    seed: int = Field(1, ge=0, lt=1 << 64, examples=[1])
    output: Output = Output()
    traces: Traces | None = None
    metrics: MetricsSettings | None = None
    logs: LogsSettings | None = None

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not (self.traces or self.metrics or self.logs):
            raise refusal("asks for no telemetry", "add traces, metrics or logs, such as `traces: {count: 10000}`")
        return self

    def trace_settings(self) -> TraceSettings | None:
        """None: no traces are asked for."""
        return self.traces.settings(self.seed) if self.traces else None

    def metrics_settings(self) -> MetricsSettings | None:
        """With the file's seed where they have none of their own."""
        return self.metrics and _seeded(self.metrics, self.seed)

    def logs_settings(self) -> LogsSettings | None:
        """With the file's seed where they have none of their own."""
        return self.logs and _seeded(self.logs, self.seed)


def _seeded(settings: S, seed: int) -> S:
    return settings if "seed" in settings.model_fields_set else settings.model_copy(update={"seed": seed})


def read_configuration(path: Path, environment: Mapping[str, str]) -> GeneratorConfiguration:
    """Reads the file, with the environment's variables in it. InvalidDocument with every problem it has."""
    return load_document(path, GeneratorConfiguration, from_environment(environment))
