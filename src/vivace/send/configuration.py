"""The sender's configuration file: what to send, where to, how fast, and what to do wrong on purpose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from vivace.errors import ConfigurationError, InvalidDocument, Problem
from vivace.pace import AdjustmentSettings, Stages, parse_stage, parse_stages
from vivace.pace.wording import EXAMPLE
from vivace.profile.document import Document, read_document
from vivace.profile.expansion import from_environment
from vivace.profile.objective import Objectives, read_objectives
from vivace.profile.refusal import refusal, shown
from vivace.profile.validation import validate
from vivace.profile.yaml_reader import Location, field_name
from vivace.send.attempts import Attempts
from vivace.send.contents import Times
from vivace.send.cut import Batching, Per
from vivace.send.disorder import Disorder
from vivace.send.transport import Compression, OtlpProtocol, Tls, Transport
from vivace.telemetry.template import Signal
from vivace.units import parse_duration, parse_size

MOST_MS: Final = 10 * 365 * 86_400_000
LARGEST_REQUEST: Final = "a number, or a size such as 1MB"


def read_seconds(value: object, info: ValidationInfo) -> float:
    """Seconds of a duration's text; a validator."""
    if isinstance(value, float) and info.mode == "python":
        return value
    try:
        return parse_duration(value if isinstance(value, str) else "0" if value == 0 else "")
    except ValueError as error:
        remedy = "give a number with its unit, such as 30s, 5m or 1h30m"
        raise refusal(f"is {shown(value)}, must be a duration", remedy) from error


def read_amount(value: object) -> int:
    """A number, or the bytes of a size's text; a validator."""
    try:
        return value if isinstance(value, int) and not isinstance(value, bool) else parse_size(str(value))
    except ValueError as error:
        raise refusal(f"is {shown(value)}, must be a number or a size", f"give {LARGEST_REQUEST}") from error


def read_lines(value: object) -> object:
    """One text as a list of its parts; a validator."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(value) if isinstance(value, list) else value


Seconds = Annotated[float, BeforeValidator(read_seconds)]
Amount = Annotated[int, BeforeValidator(read_amount), Field(ge=1, le=1 << 40)]
Share = Annotated[float, Field(ge=0, le=1)]
Texts = Annotated[tuple[str, ...], BeforeValidator(read_lines)]


class Section(BaseModel):
    """A part of the file: frozen, strict, with no field that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Input(Section):
    """Templates, one of each signal at most; or a generator's file, whose telemetry is made while it is sent."""

    traces: str | None = Field(None, min_length=1, examples=["./generated/telemetry-traces.pb"])
    metrics: str | None = Field(None, min_length=1, examples=["./generated/telemetry-metrics.pb"])
    logs: str | None = Field(None, min_length=1, examples=["./generated/telemetry-logs.pb"])

    stream: str | None = Field(None, min_length=1, examples=["./generator.yaml"])

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.stream is not None and self.templates:
            raise refusal("names a stream and templates", "keep one of them", related=["stream"])
        if self.stream is None and not self.templates:
            raise refusal("names no template", "add traces, metrics or logs, as `vivace generate` writes them")
        return self

    @property
    def templates(self) -> dict[Signal, Path]:
        """By signal; those that are given."""
        return {signal: Path(path) for signal in Signal if (path := getattr(self, signal.value)) is not None}


class TlsFiles(Section):
    """Whom to trust, and who we are."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None

    def settings(self) -> Tls:
        files = {name: getattr(self, name) for name in ("ca_file", "cert_file", "key_file")}
        paths = {name: None if file is None else Path(file) for name, file in files.items()}
        return Tls(server_name=self.server_name, **paths)


class Otlp(Section):
    """Where the target is and how it is spoken to."""

    endpoint: Texts = Field(min_length=1, examples=["127.0.0.1:4317"])
    """host:port; several in a list, or with commas between them, take turns."""
    headers: Mapping[str, str] = Field(default_factory=dict)
    insecure: bool = False
    """Plaintext."""
    protocol: Literal["grpc", "http/protobuf", "http/json"] = Field("grpc", examples=["grpc"])
    compression: Literal["none", "gzip", "zstd"] = Field("none", examples=["gzip"])
    tls: TlsFiles | None = None
    token_file: str | None = None
    prefix: str = ""
    timeout: Annotated[Seconds, Field(gt=0)] = 10.0

    @field_validator("tls")
    @classmethod
    def _not_both(cls, value: TlsFiles | None, info: ValidationInfo) -> TlsFiles | None:
        if value is not None and info.data.get("insecure"):
            raise refusal("is given, but insecure is true", "remove one of the two", related=["insecure"])
        return value

    def transport(self) -> Transport:
        """ConfigurationError when there can be none."""
        return Transport(
            endpoints=self.endpoint,
            protocol=OtlpProtocol(self.protocol),
            compression=Compression(self.compression),
            tls=None if self.insecure else (self.tls or TlsFiles()).settings(),
            headers=self.headers,
            token_file=None if self.token_file is None else Path(self.token_file),
            prefix=self.prefix,
            timeout_s=self.timeout,
        )


class RateLimit(Section):
    """A token bucket for all signals together; it holds twice as many."""

    events_per_second: float = Field(0, examples=[10000])
    """0 or less: no limit."""


class BatchSize(Section):
    """How much a request holds at most."""

    traces: Amount = 100
    """In the unit that batch_by names."""
    metrics: Amount = 1000
    """Data points."""
    logs: Amount = 1000
    """Records."""


class Retry(Section):
    """Whether a request that failed is sent again."""

    attempts: int = Field(1, ge=1, le=1000, examples=[5])
    """With the first."""
    first_pause: Seconds = 0.5
    longest_pause: Seconds = 10.0
    patience: Seconds = 60.0

    def settings(self) -> Attempts:
        return Attempts(
            most=self.attempts,
            first_pause_s=self.first_pause,
            longest_pause_s=self.longest_pause,
            patience_s=self.patience,
        )


class Adjust(Section):
    """A rate that follows the target's answers, in events per second over all signals."""

    least: float = Field(gt=0, examples=[1000])
    most: float = Field(gt=0, examples=[1000000])
    increase: float = Field(gt=0, examples=[1000])
    """Each interval in which all went well."""
    backoff: float = Field(0.5, gt=0, lt=1)
    """What is left when it did not."""
    slow: Annotated[Seconds, Field(gt=0)] = 1.0
    """An answer that takes longer is a bad one."""
    interval: Annotated[Seconds, Field(gt=0)] = 1.0

    def settings(self) -> AdjustmentSettings:
        return AdjustmentSettings(
            least=self.least,
            most=self.most,
            increase=self.increase,
            backoff=self.backoff,
            slow_s=self.slow,
            interval_s=self.interval,
        )


class DisorderShares(Section):
    """Shares of requests with something wrong on purpose."""

    duplicate: Share = 0.0
    late: Share = 0.0
    late_by: Annotated[Seconds, Field(gt=0)] = 300.0
    reordered: Share = 0.0
    reordered_by: Annotated[Seconds, Field(gt=0)] = 5.0
    skewed: Share = 0.0
    skewed_by: Annotated[Seconds, Field(gt=0)] = 60.0
    incomplete: Share = 0.0
    missing: float = Field(0.1, gt=0, lt=1)

    def settings(self) -> Disorder:
        return Disorder(
            duplicate=self.duplicate,
            late=self.late,
            late_by_s=self.late_by,
            reordered=self.reordered,
            reordered_by_s=self.reordered_by,
            skewed=self.skewed,
            skewed_by_s=self.skewed_by,
            incomplete=self.incomplete,
            missing=self.missing,
        )


class Sending(Section):
    """How much, how fast and how often."""

    rate_limit: RateLimit = RateLimit()
    schedule: Texts | None = Field(None, min_length=1, examples=[f'["{EXAMPLE}"]'])
    """Events per second over all signals, stage by stage; an open model."""
    adjust: Adjust | None = None
    batch_size: BatchSize = BatchSize()
    batch_by: Literal["traces", "service", "spans", "bytes"] = Field("traces", examples=["service"])
    concurrency: int = Field(10, ge=1, le=100_000, examples=[10])
    """Requests in flight, over all signals."""
    processes: int | None = Field(None, ge=1, le=1024)
    """That send; at least one for each signal."""
    duration: Seconds = 0.0
    """0: no limit."""
    multiplier: int = Field(1, ge=0, examples=[10])
    """How often the templates are sent; 0: without end."""
    retry: Retry = Retry()
    disorder: DisorderShares = DisorderShares()
    seed: int = Field(1, ge=0, lt=1 << 64)

    @field_validator("schedule")
    @classmethod
    def _stages(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for number, text in enumerate(value or (), 1):
            try:
                parse_stage(text)
            except ValueError as error:
                raise refusal(f"stage {number} {error}", f'write it like "{EXAMPLE}"') from error
        return value

    @model_validator(mode="after")
    def _one_pace(self) -> Self:
        limited = self.rate_limit.events_per_second > 0
        given = [
            name
            for name, there in (("rate_limit", limited), ("schedule", self.schedule), ("adjust", self.adjust))
            if there
        ]
        if len(given) > 1:
            raise refusal(f"has {' and '.join(given)}", "keep one of them", related=given[1:])
        return self

    @property
    def stages(self) -> Stages | None:
        """ConfigurationError when nothing is ever due."""
        return None if self.schedule is None else parse_stages(self.schedule)

    def batching(self, signal: Signal) -> Batching:
        """How templates of a signal are cut."""
        most: int = getattr(self.batch_size, signal.value)
        if signal is not Signal.TRACES:
            return Batching(Per.ITEMS, most)
        per = {"traces": Per.TRACES, "service": Per.SERVICE, "spans": Per.ITEMS, "bytes": Per.BYTES}[self.batch_by]
        return Batching(per, most)


class Timestamps(Section):
    """How times in requests differ from when they are sent."""

    jitter_ms: int = Field(0, ge=0, le=MOST_MS, examples=[100])
    backdate_ms: int = Field(0, ge=0, le=MOST_MS, examples=[0])

    def settings(self) -> Times:
        return Times(jitter_ms=self.jitter_ms, backdate_ms=self.backdate_ms)


class SenderConfiguration(Section):
    """The whole file."""

    input: Input = Field(examples=['{traces: "./generated/telemetry-traces.pb"}'])
    otlp: Otlp = Field(examples=['{endpoint: "127.0.0.1:4317"}'])
    sending: Sending = Sending()
    timestamps: Timestamps = Timestamps()
    objectives: Objectives = Field(default_factory=lambda: read_objectives({}))

    @model_validator(mode="after")
    def _can_stream(self) -> Self:
        sending = self.sending
        if self.input.stream is not None and (sending.schedule or sending.processes or sending.multiplier > 1):
            message = "has schedule, processes or a multiplier above 1, but what is streamed is made on the way"
            raise refusal(f"sending {message}", "remove them; multiplier 0 streams without end")
        return self

    @property
    def duration_s(self) -> float:
        return self.sending.duration or inf


def read_configuration(path: Path, environment: Mapping[str, str]) -> SenderConfiguration:
    """Reads the file, with the environment's variables in it. InvalidDocument with every problem it has."""
    return validated(document_of(path, environment))


def document_of(path: Path, environment: Mapping[str, str]) -> Document:
    """What stands in the file, with the environment's variables in it."""
    return read_document(path, from_environment(environment))


def validated(document: Document) -> SenderConfiguration:
    """The configuration in a document. InvalidDocument with every problem it has."""
    configuration = validate(document, SenderConfiguration)
    problems = list(_problems(document, configuration))
    if problems:
        raise InvalidDocument(problems)
    return configuration


def _problems(document: Document, configuration: SenderConfiguration) -> Iterator[Problem]:
    """What no single field shows."""
    sending = configuration.sending
    try:
        configuration.otlp.transport()
    except ConfigurationError as error:
        for line in str(error).splitlines():
            name, _, said = line.partition(": ")
            at = ("otlp", "tls", name) if name in TlsFiles.model_fields else ("otlp", name)
            yield _problem(document, at, said)
    for line in sending.retry.settings().problems():
        yield _problem(document, ("sending", "retry"), line.removeprefix("retry: "))
    for line in sending.disorder.settings().problems():
        yield _problem(document, ("sending", "disorder"), line.removeprefix("disorder: "))
    for name, build in (
        ("adjust", lambda: sending.adjust and sending.adjust.settings()),
        ("schedule", lambda: sending.stages),
    ):
        try:
            build()
        except ConfigurationError as error:
            yield _problem(document, ("sending", name), str(error).partition(": ")[2])


def _problem(document: Document, at: Location, said: str) -> Problem:
    place = document.place(at)
    message, _, remedy = said.rpartition("; ")
    return Problem(place.source, field_name(at), message, remedy, place.line)
