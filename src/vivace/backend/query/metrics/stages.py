"""What comes after an aggregate over time: the highest or lowest series at each point, and comparisons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from vivace.backend.query.metrics.numbers import SECONDS
from vivace.backend.query.metrics.series import Series, in_order
from vivace.traceql.tree import Operator, SecondStage, SeriesFilter, StaticType, TopBottom

_COMPARE: Final[Mapping[Operator, Callable[[Any, Any], Any]]] = {
    Operator.EQUAL: np.equal,
    Operator.NOT_EQUAL: np.not_equal,
    Operator.LESS: np.less,
    Operator.LESS_EQUAL: np.less_equal,
    Operator.GREATER: np.greater,
    Operator.GREATER_EQUAL: np.greater_equal,
}


def staged(series: Sequence[Series], stages: Iterable[SecondStage]) -> list[Series]:
    """The series after all stages; those without a value left are dropped."""
    found = list(series)
    for stage in stages:
        found = _extremes(found, stage) if isinstance(stage, TopBottom) else _compared(found, stage)
    return [one for one in found if not np.isnan(one.values).all()]


def _extremes(series: Sequence[Series], stage: TopBottom) -> list[Series]:
    """At each point the highest or lowest few; of equal ones those whose labels come first."""
    ordered = sorted(series, key=in_order)
    if not ordered:
        return []
    table = np.stack([one.values for one in ordered])
    ranked = np.where(np.isnan(table), np.inf, -table if stage.function == "topk" else table)
    chosen = np.argsort(ranked, axis=0, kind="stable")[: stage.limit]
    keep = np.zeros(table.shape, np.bool_)
    np.put_along_axis(keep, chosen, True, axis=0)
    return [replace(one, values=np.where(kept, one.values, np.nan)) for one, kept in zip(ordered, keep, strict=True)]


def _compared(series: Sequence[Series], stage: SeriesFilter) -> list[Series]:
    value = stage.value.value
    assert isinstance(value, (int, float))  # noqa: S101 - the grammar knows only numbers here
    bound = value * SECONDS if stage.value.type is StaticType.DURATION else float(value)
    holds = _COMPARE[stage.operator]
    return [replace(one, values=np.where(holds(one.values, bound), one.values, np.nan)) for one in series]
