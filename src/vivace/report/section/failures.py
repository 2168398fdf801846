"""What failed, when, and in the target's own words."""

from __future__ import annotations

import polars as pl

from vivace.measure.series import error_series, failure_series
from vivace.report.chart.bars import bar_chart
from vivace.report.chart.figure import SEVERAL, Elapsed, Figure, Series
from vivace.report.chart.scale import linear
from vivace.report.curves import Values, by_kind, gathered
from vivace.report.evidence import Evidence
from vivace.report.markup import Html, element
from vivace.report.quantity import NOTHING, compact, whole

MOST_MESSAGES = 8
LONGEST_MESSAGE = 300


def failures(evidence: Evidence) -> Html:
    """Charts and messages; one calm line when nothing failed."""
    heading = element("h2", "Failures")
    errors = by_kind(evidence, error_series(evidence.sends, evidence.start_ns), "status", "requests")
    failed = by_kind(evidence, failure_series(evidence.queries, evidence.start_ns), "failure", "queries")
    if not errors and not failed:
        return element("section", heading, element("p", _nothing(evidence), class_="card calm"))
    charts = []
    if errors:
        charts.append(_chart(evidence, "Export requests not acknowledged, by status", "requests/s", errors))
    if failed:
        charts.append(_chart(evidence, "Failed queries, by cause", "queries/s", failed))
    return element("section", heading, element("div", charts, class_="pair"), _messages(evidence))


def _nothing(evidence: Evidence) -> str:
    nouns = [
        noun for noun, rows in (("export request", evidence.sends), ("query", evidence.queries)) if not rows.is_empty()
    ]
    return f"None: no {' and no '.join(nouns)} failed." if nouns else "None."


def _chart(evidence: Evidence, title: str, unit: str, kinds: dict[str, Values]) -> Html:
    shown = gathered(kinds, len(SEVERAL))
    stacked = [sum(value or 0.0 for value in values) for values in zip(*shown.values(), strict=True)]
    note = f"{unit}, {next(iter(shown))}" if len(shown) == 1 else unit
    figure = Figure(title, unit, Elapsed(evidence.step_s, evidence.points), linear(stacked, compact), note)
    series = [Series(name, values, ink) for (name, values), ink in zip(shown.items(), SEVERAL, strict=False)]
    return bar_chart(figure, series)


def _messages(evidence: Evidence) -> Html | None:
    """What the target said, the most frequent first."""
    sends = evidence.sends.filter(pl.col("outcome").is_in(["failed", "unknown"]))
    queries = evidence.queries.filter(pl.col("outcome") == "failed")
    told = pl.concat(
        [
            sends.select(pl.lit("export").alias("of"), pl.col("status").fill_null("no answer"), "message"),
            queries.select(pl.lit("query").alias("of"), _query_status().alias("status"), "message"),
        ]
    )
    counted = told.group_by(pl.all()).len().sort("len", "status", descending=[True, False])
    rows = [_row(*values) for values in counted.head(MOST_MESSAGES).iter_rows()]
    head = element(
        "tr", [element("th", name, scope="col") for name in ("Of", "Status", "What the target said")], _number()
    )
    if counted.height > MOST_MESSAGES:
        rest = f"and {whole(counted.height - MOST_MESSAGES)} more kinds, in the ledger"
        rows.append(element("tr", element("td", rest, colspan="4", class_="note")))
    table = element("table", element("thead", head), element("tbody", rows))
    return element("div", element("div", table, class_="scroll"), class_="card")


def _row(of: str, status: str, message: str | None, number: int) -> Html:
    said = message or NOTHING
    said = said if len(said) <= LONGEST_MESSAGE else f"{said[:LONGEST_MESSAGE]}…"
    cells = [element("td", of), element("td", status), element("td", said, class_="said")]
    return element("tr", cells, element("td", whole(number), class_="number"))


def _number() -> Html:
    return element("th", "Times", scope="col", class_="number")


def _query_status() -> pl.Expr:
    return pl.concat_str(
        [pl.col("failure").fill_null("failed"), pl.col("status").cast(pl.String)], separator=" ", ignore_nulls=True
    )
