"""Objectives: what a profile demands of the figures, written `quantity: "comparison threshold"`.

    objectives:
      acknowledged_percent: ">= 99.5"     # of the spans that the schedule offered
      query_response_p95: "<= 2s"         # counted from when the query was due
      target_memory: "< 4GiB"
      missing_traces: off                 # a default objective that is not wanted

Comparisons are >=, <=, >, < and =. A profile's objectives are added to the default ones and replace those of the same
name. Thresholds are written in the quantity's own way: 99.5 or 99.5%, 2s or 250ms, 10k/s, 25 (MB/s), 4GiB, 1.5 (cores).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal, TypeAlias, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from vivace.profile.quantity import PERCENTILES, QUANTITIES, Quantity
from vivace.profile.refusal import nearest, refusal, shown

Comparison: TypeAlias = Literal[">=", "<=", ">", "<", "="]
_WRITTEN: Final = re.compile(r"(>=|<=|==|=|>|<)\s*(\S.*)")


class Objective(BaseModel):
    """A measured quantity, a comparison, a threshold in the quantity's unit, and the limit as it was written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    comparison: Comparison
    threshold: float
    limit: str

    @property
    def quantity(self) -> Quantity:
        return QUANTITIES[self.name]


def parse_objective(name: str, text: object) -> Objective:
    """An objective from its quantity's name and its text such as ">= 99.5"."""
    quantity = QUANTITIES.get(name)
    if quantity is None:
        raise refusal("is not a quantity that is measured", nearest(name, list(QUANTITIES)) or _known())
    match = _WRITTEN.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        message = f"is {shown(text)}, must be a comparison and a threshold"
        raise refusal(message, f'write it as ">= {quantity.example}" with >=, <=, >, < or =')
    comparison, written = match.groups()
    comparison = "=" if comparison == "==" else comparison
    try:
        threshold = quantity.threshold(written.strip())
    except ValueError as error:
        raise refusal(f"has the threshold {error}", f'write it as "{comparison} {quantity.example}"') from error
    return Objective(
        name=name,
        comparison=cast("Comparison", comparison),
        threshold=threshold,
        limit=f"{comparison} {written.strip()}",
    )


def read_objectives(value: object) -> tuple[Objective, ...]:
    """A profile's objectives with the default ones; a validator that reports every one that is wrong."""
    if isinstance(value, tuple):
        return value
    if not isinstance(value, dict):
        raise refusal(f"is {shown(value)}, must be a mapping", 'write each as `quantity: ">= threshold"` below it')
    chosen = dict(DEFAULT_OBJECTIVES)
    errors: list[InitErrorDetails] = []
    for name, text in value.items():
        try:
            objective = None if text is False or text == "off" else parse_objective(name, text)
        except PydanticCustomError as error:
            errors.append(InitErrorDetails(type=error, loc=(name,), input=text))
            continue
        chosen.pop(name, None)
        if objective is not None:
            chosen[name] = objective
    if errors:
        raise ValidationError.from_exception_data("objectives", errors)
    return tuple(chosen.values())


def _known() -> str:
    """All quantities, of the percentiles of one latency only p99."""
    others = tuple(f"_{percentile}" for percentile in PERCENTILES if percentile != "p99")
    names = [name for name in QUANTITIES if not name.endswith(others)]
    return f"known are {', '.join(names)} (and for p99 also {', '.join(other[1:] for other in others)})"


DEFAULT_OBJECTIVES: Final[Mapping[str, Objective]] = MappingProxyType(
    {
        name: parse_objective(name, text)
        for name, text in (
            ("acknowledged_percent", ">= 99.5"),
            ("queries_succeeded_percent", ">= 99"),
            ("query_response_p95", "<= 2s"),
            ("missing_traces", "= 0"),
            ("wrong_traces", "= 0"),
        )
    }
)
"""What every profile demands unless it says otherwise."""

Objectives = Annotated[tuple[Objective, ...], BeforeValidator(read_objectives)]
