"""Answers to metrics queries: series over time, or a value for each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import isnan
from typing import Any, Final, TypeAlias

from vivace.query.answer import Failed, Failure, Found, digest_of
from vivace.query.answers.search import SLACK_NS
from vivace.query.bucket import Window

Series: TypeAlias = "Mapping[str, Any]"  # JSON
SLACK_STEPS: Final = 2
"""A range begins at a multiple of its step before the start, and ends at one after the end."""

FEWEST_STEPS: Final = 100
"""Into which a target that chooses the step itself cuts a range."""


def read_range(body: bytes, window: Window | None, step_s: float | None = None) -> Found:
    """Series with samples; Failed when one lies outside the window, or before the one in front of it."""
    return _read(body, lambda series: _samples(series, window, step_s))


def read_instant(body: bytes) -> Found:
    """Series with one value each."""
    return _read(body, lambda series: [_number(series.get("value", 0))])


def _read(body: bytes, values: Callable[[Series], object]) -> Found:
    try:
        answer = json.loads(body)
        series = {_labels(one): values(one) for one in answer.get("series") or ()}
        if len(series) < len(answer.get("series") or ()):
            raise Failed(Failure.WRONG, "a series is there twice")
        inspected = (answer.get("metrics") or {}).get("inspectedSpans")
        return Found(
            items=len(series),
            inspected_spans=None if inspected is None else int(inspected),
            digest=digest_of(series.items()),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Failed(Failure.UNREADABLE, f"no series: {type(error).__name__}: {error}") from None


def _labels(series: Series) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((str(label["key"]), json.dumps(label.get("value"))) for label in series.get("labels") or ()))


def _samples(series: Series, window: Window | None, step_s: float | None) -> list[tuple[int, str]]:
    """Moments in milliseconds, and values that compare equal when they are as good as equal."""
    samples = [
        (int(str(sample["timestampMs"])), _number(sample.get("value", 0))) for sample in series.get("samples") or ()
    ]
    moments = [moment for moment, _ in samples]
    if any(later <= earlier for earlier, later in pairwise(moments)):
        raise Failed(Failure.WRONG, "samples of a series are not in the order of time")
    if window is not None and moments:
        _check_moments(moments, window, step_s)
    return samples


def _check_moments(moments: Sequence[int], window: Window, step_s: float | None) -> None:
    step_ms = (step_s or (window.end_s - window.start_s) / FEWEST_STEPS) * 1000
    slack_ms = SLACK_STEPS * step_ms + SLACK_NS // 1_000_000
    if moments[0] < window.start_s * 1000 - slack_ms or moments[-1] > window.end_s * 1000 + slack_ms:
        raise Failed(Failure.WRONG, "a series has samples outside the window")


def _number(value: object) -> str:
    number = float(str(value))
    return "NaN" if isnan(number) else f"{number:.9g}"
