"""What was offered and what was taken, second by second."""

from __future__ import annotations

import polars as pl

from vivace.measure.series import query_series
from vivace.report.chart.figure import Elapsed, Figure, Ink, Series
from vivace.report.chart.lines import line_chart
from vivace.report.chart.scale import linear
from vivace.report.curves import Values, highest, over_time
from vivace.report.evidence import Evidence
from vivace.report.markup import Html, element
from vivace.report.quantity import compact


def load(evidence: Evidence, sends: pl.DataFrame) -> Html | None:
    """Rate of spans, and of queries, offered and achieved; `sends` is the series of sends by second."""
    charts = [chart for chart in (_spans(evidence, sends), _queries(evidence)) if chart is not None]
    if not charts:
        return None
    under = "Offered is what fell due, whether or not it could be sent; where the lines part, the target fell behind."
    return element(
        "section", element("h2", "Rate"), element("p", under, class_="under"), element("div", charts, class_="pair")
    )


def _spans(evidence: Evidence, series: pl.DataFrame) -> Html | None:
    if evidence.sends.is_empty():
        return None
    offered, taken = over_time(
        evidence, _while_offered(series, "offered_spans"), "offered_spans", "acknowledged_spans", mean=True
    )
    lines = [Series("acknowledged", taken, Ink.MAIN), Series("offered", offered, Ink.OTHER)]
    return line_chart(_figure(evidence, "Spans", "spans/s", [offered, taken]), lines, filled=True)


def _queries(evidence: Evidence) -> Html | None:
    if evidence.queries.is_empty():
        return None
    series = query_series(evidence.queries, evidence.start_ns)
    offered, taken = over_time(evidence, _while_offered(series, "offered"), "offered", "succeeded", mean=True)
    lines = [Series("answered", taken, Ink.MAIN), Series("offered", offered, Ink.OTHER)]
    return line_chart(_figure(evidence, "Queries", "queries/s", [offered, taken]), lines, filled=True)


def _figure(evidence: Evidence, title: str, unit: str, values: list[Values]) -> Figure:
    return Figure(title, unit, Elapsed(evidence.step_s, evidence.points), linear(highest(values), compact), unit)


def _while_offered(series: pl.DataFrame, offered: str) -> pl.DataFrame:
    """Without the zeros after the last request was due, when the load was over and only answers came in."""
    last = series.filter(pl.col(offered) > 0)["second"].max()
    return series.with_columns(pl.when(pl.col("second") <= last).then(pl.col(offered)).alias(offered))
