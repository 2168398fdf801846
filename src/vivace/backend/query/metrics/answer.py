"""Series -> JSON as Tempo answers it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence

import numpy as np

from vivace.backend.query.metrics.codes import Label
from vivace.backend.query.metrics.query import Answer
from vivace.backend.query.metrics.series import Exemplar, Labels, Series
from vivace.backend.query.metrics.timeline import Times
from vivace.backend.query.shown import Json, double


def range_answer(answer: Answer, times: Times) -> Json:
    """The body of /api/metrics/query_range."""
    stamps = [str(stamp) for stamp in times.milliseconds]
    return {"series": [_range(one, stamps) for one in answer.series], "metrics": {}} | _partial(answer)


def instant_answer(answer: Answer) -> Json:
    """The body of /api/metrics/query."""
    series = [
        {"labels": _labels(one.labels), "value": double(float(one.values[-1]))}
        for one in answer.series
        if not np.isnan(one.values[-1])
    ]
    return {"series": series, "metrics": {}} | _partial(answer)


def _partial(answer: Answer) -> Json:
    return {} if answer.partial is None else {"status": "PARTIAL", "message": answer.partial}


def _range(one: Series, stamps: Sequence[str]) -> Json:
    answer: Json = {"labels": _labels(one.labels), "samples": _samples(one, stamps)}
    if one.exemplars:
        answer["exemplars"] = [_exemplar(exemplar) for exemplar in one.exemplars]
    return answer


def _labels(labels: Labels) -> list[Json]:
    return [{"key": key, "value": _value(value)} for key, value in labels]


def _value(label: Label) -> Json:
    member, value = label
    return {member: json.loads(str(value)) if member == "arrayValue" else value}


def _samples(one: Series, stamps: Sequence[str]) -> list[Json]:
    there = np.flatnonzero(~np.isnan(one.values))
    values: Iterable[float | str] = one.values[there].tolist()
    if np.isinf(one.values).any():
        values = [double(float(value)) for value in values]
    return [{"timestampMs": stamps[at], "value": value} for at, value in zip(there.tolist(), values, strict=True)]


def _exemplar(one: Exemplar) -> Json:
    """A trace ID is written as TraceQL writes it, without leading zeros."""
    value = 0.0 if math.isnan(one.value) else one.value
    return {
        "labels": _labels((("trace:id", ("stringValue", f"{one.trace_id:x}")),)),
        "value": double(value),
        "timestampMs": str(one.time_ns // 1_000_000),
    }
