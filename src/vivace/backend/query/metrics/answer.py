"""Series -> JSON as Tempo answers it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vivace.backend.query.metrics.partial import label_value
from vivace.backend.query.metrics.series import Labels, Series
from vivace.backend.query.metrics.timeline import Times
from vivace.backend.query.shown import Json, double


def range_answer(series: Sequence[Series], times: Times) -> Json:
    """The body of /api/metrics/query_range."""
    stamps = [str(stamp) for stamp in times.milliseconds]
    return {
        "series": [{"labels": _labels(one.labels), "samples": _samples(one, stamps)} for one in series],
        "metrics": {},
    }


def instant_answer(series: Sequence[Series]) -> Json:
    """The body of /api/metrics/query."""
    return {
        "series": [
            {"labels": _labels(one.labels), "value": double(float(one.values[-1]))}
            for one in series
            if not np.isnan(one.values[-1])
        ],
        "metrics": {},
    }


def _labels(labels: Labels) -> list[Json]:
    return [{"key": key, "value": label_value(value)} for key, value in labels]


def _samples(one: Series, stamps: Sequence[str]) -> list[Json]:
    there = np.flatnonzero(~np.isnan(one.values)).tolist()
    return [{"timestampMs": stamps[place], "value": double(float(one.values[place]))} for place in there]
