"""How the values of an attribute are made, as the user says it: one line of YAML for each attribute."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, PlainValidator, model_validator

from vivace.profile.refusal import refusal, shown
from vivace.telemetry.attributes import Scalar
from vivace.telemetry.fresh import WORD
from vivace.telemetry.topology import Model

KINDS: Final = ("constant", "choice", "sequence", "cardinality", "size", "fresh")
LONGEST: Final = 1_000_000


def _read_scalar(value: object) -> Scalar:
    """A validator."""
    if isinstance(value, str | bool | int | float):
        return value
    raise refusal(f"is {shown(value)}, must be a text, a number, true or false", "give one value")


def _read_choice(value: object) -> tuple[tuple[Scalar, float], ...]:
    """Values and their weights, of a list (all weigh the same) or a mapping; a validator."""
    remedy = "list the values, or write `value: weight` for each"
    if isinstance(value, list) and value:
        return tuple((_read_scalar(item), 1.0) for item in value)
    if not isinstance(value, dict) or not value:
        raise refusal(f"is {shown(value)}, must be values to choose from", remedy)
    for name, weight in value.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or weight < 0:
            raise refusal(f"{name} has the weight {shown(weight)}, which is not 0 or more", remedy)
    if not any(value.values()):
        raise refusal("no value has a weight above 0", remedy)
    return tuple((name, float(weight)) for name, weight in value.items())


class Sequence(Model):
    """Whole numbers, one after the other."""

    start: int = 0
    step: int = 1

    @model_validator(mode="before")
    @classmethod
    def _from_start(cls, value: object) -> object:
        return {"start": value} if isinstance(value, int) and not isinstance(value, bool) else value


class Length(Model):
    """Bytes of a text."""

    min: Annotated[int, Field(ge=0, le=LONGEST)]
    max: Annotated[int, Field(ge=0, le=LONGEST)]

    @model_validator(mode="before")
    @classmethod
    def _always_so_long(cls, value: object) -> object:
        return {"min": value, "max": value} if isinstance(value, int) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.max < self.min:
            raise refusal(f"max {self.max} is below min {self.min}", "raise max or lower min")
        return self


class Generator(Model):
    """Makes the values of one attribute, in exactly one of the ways in KINDS; a value alone is a constant."""

    constant: Annotated[Scalar | None, PlainValidator(_read_scalar)] = None
    choice: Annotated[tuple[tuple[Scalar, float], ...], PlainValidator(_read_choice)] = ()
    sequence: Sequence | None = None
    cardinality: int | None = Field(None, ge=1, le=10**15, examples=[1_000_000])
    """So many different texts."""
    distribution: Literal["uniform", "zipf"] = "uniform"
    """Of the `cardinality` texts: all as often, or some far more often than others."""
    exponent: float = Field(1.1, gt=0, le=10)
    """Of the zipf distribution: the n-th text is n to this power times rarer than the first."""
    size: Length | None = None
    """A text of made-up words."""
    fresh: int | None = Field(None, ge=WORD, le=1024, examples=[16])
    """So many characters, other ones in every request that is sent."""
    prefix: str = ""
    """What texts begin with."""
    share: float = Field(1.0, gt=0, le=1)
    """How many have the attribute at all."""

    @model_validator(mode="before")
    @classmethod
    def _from_constant(cls, value: object) -> object:
        return {"constant": value} if isinstance(value, str | bool | int | float) else value

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [kind for kind in KINDS if kind in self.model_fields_set]
        if len(given) != 1:
            raise refusal(
                f"says {' and '.join(given) or 'nothing'} about its values", f"give exactly one of {', '.join(KINDS)}"
            )
        if self.fresh is not None and self.fresh % WORD:
            raise refusal(f"fresh is {self.fresh}", f"give a multiple of {WORD} characters", related=["fresh"])
        unused = {"distribution", "exponent"} if self.cardinality is None else set()
        unused |= {"prefix"} if given[0] in {"constant", "choice"} else set()
        if told := sorted(unused & self.model_fields_set):
            raise refusal(f"{', '.join(told)} means nothing to {given[0]}", "leave it out", related=told)
        return self

    @property
    def bytes(self) -> int:
        """Of the longest value, about."""
        text = self.size.max if self.size else max((len(str(value)) for value, _ in self.choice), default=20)
        return len(self.prefix) + max(text, self.fresh or 0, len(str(self.constant or "")))


class SpanGenerator(Generator):
    """The same for attributes of spans."""

    per: Literal["span", "trace"] = "span"
    """Whether all spans of a trace have the same value."""


class Attributes(Model):
    """Attributes that are added, by key; one that is there already is replaced."""

    span: dict[str, SpanGenerator] = Field({}, examples=["customer.id: {cardinality: 1000000}"])
    resource: dict[str, Generator] = Field({}, examples=["deployment.ring: canary"])

    @property
    def span_bytes(self) -> int:
        """What they add to a span, about."""
        return sum(len(key) + generator.bytes + 8 for key, generator in self.span.items())
