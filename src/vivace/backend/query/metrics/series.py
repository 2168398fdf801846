"""Series: what a metrics query is answered with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vivace.backend.query.metrics.codes import Label
from vivace.backend.query.metrics.numbers import Floats
from vivace.backend.query.value import Rows

NAME: Final = "__name__"
Labels = tuple[tuple[str, Label], ...]


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One of the spans behind a value; its own value is in the unit of the series."""

    trace_id: int
    value: float
    time_ns: int


@dataclass(frozen=True, slots=True)
class Series:
    """One value per bucket of the timeline, not-a-number where there is none.

    `cells` says for each bucket where among what was counted its exemplars are found, -1 for nowhere.
    """

    labels: Labels
    values: Floats
    cells: Rows | None = None
    exemplars: tuple[Exemplar, ...] = ()


def in_order(series: Series) -> tuple[tuple[str, str], ...]:
    """A key to sort series by, the same each time."""
    return tuple((key, str(value)) for key, (_, value) in series.labels)
