"""What a tenant may do: the limits, under the names that Tempo's overrides give them. 0 stands for no limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationInfo

from vivace.backend.tenant.identity import TenantError, valid
from vivace.profile.refusal import refusal, shown
from vivace.units import format_duration, parse_duration, parse_size

EVERYBODY: Final = "*"
"""What stands for all other tenants in Tempo's overrides."""


def _bytes(value: object) -> int:
    try:
        return value if isinstance(value, int) and not isinstance(value, bool) else parse_size(str(value))
    except ValueError as error:
        raise refusal(
            f"is {shown(value)}, must be a number of bytes", "give a number, or a size such as 5MB"
        ) from error


def _seconds(value: object, info: ValidationInfo) -> float:
    if isinstance(value, float) and info.mode == "python":
        return value
    try:
        return parse_duration(value if isinstance(value, str) else "0" if value == 0 else "")
    except ValueError as error:
        remedy = "give a number with its unit, such as 336h, or 0 for no limit"
        raise refusal(f"is {shown(value)}, must be a duration", remedy) from error


def _tenant(name: str) -> str:
    if name == EVERYBODY:
        raise refusal("stands for no tenant here", "write what holds for all tenants under `defaults`")
    try:
        return valid(name)
    except TenantError as error:
        raise refusal(str(error), "name one tenant, with letters, digits and !-_.*'() alone") from error


Tenant = Annotated[str, AfterValidator(_tenant)]
Bytes = Annotated[int, BeforeValidator(_bytes), Field(ge=0, le=1 << 50)]
Count = Annotated[int, Field(ge=0, le=1 << 50)]
Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    Field(ge=0, le=1e10),
    PlainSerializer(format_duration, when_used="json"),
]


class Section(BaseModel):
    """A part of the limits: frozen, strict, with no field that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class Ingestion(Section):
    """What may be written."""

    rate_limit_bytes: Bytes = 0
    """Bytes of requests per second, in the long run."""
    burst_size_bytes: Bytes = 0
    """So much may come at once; 0 with a rate stands for one second's worth."""
    max_attribute_bytes: Bytes = 0
    """Longer keys and texts of attributes are cut."""
    max_traces_per_user: Count = 0
    """Traces that may be written to within the same half minute."""


class Global(Section):
    """What a trace may be."""

    max_bytes_per_trace: Bytes = 0
    max_spans_per_trace: Count = 0


class Read(Section):
    """What may be asked."""

    max_concurrent_queries: Count = 0
    max_search_duration: Seconds = 0.0
    """The longest time range of a search. Tempo's documents say 168h; as it was recorded it answers to more."""
    max_metrics_duration: Seconds = 24 * 3600.0
    """The longest time range of a metrics query."""
    max_bytes_per_trace: Bytes = 50_000_000
    """A trace of more than this, in protobuf, is answered in part."""
    max_query_time: Seconds = 60.0
    """A query that takes longer is ended."""


class Compaction(Section):
    """How long data stay."""

    block_retention: Seconds = 0.0
    """Blocks whose last span arrived longer ago are removed."""


class Limits(Section):
    """Everything that holds for a tenant."""

    ingestion: Ingestion = Ingestion()
    global_: Global = Field(default=Global(), alias="global")
    read: Read = Read()
    compaction: Compaction = Compaction()

    def shown(self) -> dict[str, Any]:
        """As it would stand in a file."""
        return self.model_dump(mode="json", by_alias=True)


class OverridesFile(Section):
    """The file: what holds for all tenants, and beside it what holds for some instead."""

    defaults: Limits = Limits()
    overrides: Mapping[Tenant, Limits] = {}
    """By tenant, what differs from the defaults."""

    def of(self, tenant: str) -> Limits:
        """What holds for a tenant."""
        own = self.overrides.get(tenant)
        return self.defaults if own is None else _over(self.defaults, own)


def _over(defaults: Limits, own: Limits) -> Limits:
    sections = {}
    for name in own.model_fields_set:
        section: Section = getattr(own, name)
        given = {field: getattr(section, field) for field in section.model_fields_set}
        sections[name] = getattr(defaults, name).model_copy(update=given)
    return defaults.model_copy(update=sections)
