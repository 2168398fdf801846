"""How long requests took: over time, and as a curve of percentiles."""

from __future__ import annotations

from math import log10
from typing import Final

import polars as pl

from vivace.measure.latency import RESPONSE, SERVICE
from vivace.report.chart.figure import Elapsed, Figure, Ink, Labelled, Series
from vivace.report.chart.lines import line_chart
from vivace.report.chart.scale import Tick, fitting
from vivace.report.curves import Curve, highest, over_time, percentile_curve, service_series
from vivace.report.evidence import Evidence
from vivace.report.markup import Html, element
from vivace.report.quantity import milliseconds

MARKED: Final = (
    (0.5, "50 %"),
    (0.9, "90 %"),
    (0.99, "99 %"),
    (0.999, "99.9 %"),
    (0.9999, "99.99 %"),
    (0.99999, "99.999 %"),
)
LEAST_GAP: Final = 0.15
"""Between two labels of an axis, as a share of it."""


def latency(evidence: Evidence, series: pl.DataFrame) -> Html | None:
    """Response and service time of export requests; `series` is theirs by second."""
    if evidence.sends["ended_ns"].is_null().all():
        return None
    under = (
        "Response counts from when a request was due, so it holds every wait; "
        "service counts from when it was really sent."
    )
    return element(
        "section",
        element("h2", "Latency of export requests"),
        element("p", under, class_="under"),
        element(
            "div",
            latency_over_time(evidence, evidence.sends, series),
            latency_curve(evidence.sends),
            class_="pair",
        ),
    )


def latency_over_time(evidence: Evidence, rows: pl.DataFrame, series: pl.DataFrame) -> Html:
    """The median and the 99th percentile of response and service of what was due in each second."""
    response50, response99 = over_time(evidence, series, "p50", "p99")
    service50, service99 = over_time(evidence, service_series(rows, evidence.start_ns), "p50", "p99")
    lines = [
        Series("response p99", response99, Ink.MAIN),
        Series("response p50", response50, Ink.MAIN_SOFT),
        Series("service p99", service99, Ink.OTHER),
        Series("service p50", service50, Ink.OTHER_SOFT),
    ]
    scale = fitting(highest([response50, response99, service50, service99]), milliseconds)
    return line_chart(Figure("Over time", "ms", Elapsed(evidence.step_s, evidence.points), scale), lines)


def latency_curve(rows: pl.DataFrame) -> Html:
    """How many requests were at least so quick, from the median to the slowest one."""
    response, service = percentile_curve(rows, RESPONSE), percentile_curve(rows, SERVICE)
    assert response is not None  # noqa: S101 - only called with requests that ended
    assert service is not None  # noqa: S101
    axis = _axis(response)
    lines = [
        Series("response", list(response.milliseconds), Ink.MAIN),
        Series("service", list(service.milliseconds), Ink.OTHER),
    ]
    scale = fitting([*response.milliseconds, *service.milliseconds], milliseconds)
    return line_chart(Figure("By percentile", "ms", axis, scale, "share of requests that took no longer"), lines)


def _axis(curve: Curve) -> Labelled:
    """Each nine takes the same room; the slowest request stands at the end."""
    deepest = max(_depth(share) for share in curve.shares if share < 1) if curve.shares[0] < 1 else 1.0
    deepest = max(deepest, _depth(0.5)) + 0.3
    first = _depth(0.5)

    def place(share: float) -> float:
        return 1.0 if share >= 1 else max(_depth(share) - first, 0) / (deepest - first)

    marked = [Tick(place(share), text) for share, text in MARKED if share < curve.shares[-1]]
    kept = [tick for tick in marked if tick.place <= 1 - LEAST_GAP]
    labels = ["slowest" if share >= 1 else f"{100 * share:.5g} %" for share in curve.shares]
    return Labelled([place(share) for share in curve.shares], labels, (*kept, Tick(1.0, "max")))


def _depth(share: float) -> float:
    return -log10(1 - share)
