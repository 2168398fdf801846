"""What was asked and how quickly it was answered: over time, by query, by time bucket and by kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from vivace.measure.figures import QueryFigures, QueryGroup
from vivace.measure.series import kind_series, outcome_series, query_series
from vivace.report.chart.bars import bar_chart
from vivace.report.chart.figure import SEVERAL, Elapsed, Figure, Series
from vivace.report.chart.scale import linear
from vivace.report.curves import by_kind, gathered
from vivace.report.evidence import Evidence
from vivace.report.markup import Child, Html, datum, element
from vivace.report.quantity import NOTHING, compact, digits, milliseconds, size, whole
from vivace.report.section.latency import latency_curve, latency_over_time
from vivace.report.section.query_heat import query_heat

CHECKS: Final = {
    "right": "answers were compared with what was sent and are right",
    "wrong": "are wrong",
    "unchecked": "could not be judged",
}
CHANGED: Final = " of them were answered differently."
MOST_DIFFERENCES: Final = 3
CountColumn: TypeAlias = "tuple[str, str, Callable[[float], str]]"
"""Its title, its name in the figures, and how it is written."""
COUNTS: Final[tuple[CountColumn, ...]] = (
    ("Empty", "empty", whole),
    ("Traces", "traces", compact),
    ("Spans", "spans", compact),
    ("Values", "items", compact),
    ("Inspected", "inspected_spans", compact),
    ("Bytes", "bytes", size),
)


@dataclass(frozen=True, slots=True)
class Group:
    """A row of a table: `path` is its place in the run's JSON."""

    name: str
    path: str
    figures: QueryGroup


def queries(evidence: Evidence) -> Html | None:
    """Charts of all queries, and a table for each way to part them."""
    figures = evidence.figures.query
    if figures is None:
        return None
    charts = []
    if not evidence.queries["ended_ns"].is_null().all():
        series = query_series(evidence.queries, evidence.start_ns)
        over_time = latency_over_time(evidence, evidence.queries, series)
        charts = [
            element("div", _rate(evidence), query_heat(evidence), class_="pair"),
            element("div", over_time, latency_curve(evidence.queries), class_="pair"),
        ]
    return element("section", element("h2", "Queries"), _trustworthy(figures), charts, _tables(figures))


def _rate(evidence: Evidence) -> Html:
    """What became of queries over time; of answers by kind where there are several kinds."""
    kinds = by_kind(evidence, kind_series(evidence.queries, evidence.start_ns), "kind", "queries")
    title = "Answers by kind"
    if len(kinds) < 2:
        kinds = by_kind(evidence, outcome_series(evidence.queries, evidence.start_ns), "outcome", "queries")
        title = "Outcomes"
    shown = gathered(kinds, len(SEVERAL))
    stacked = [sum(value or 0.0 for value in values) for values in zip(*shown.values(), strict=True)]
    note = f"queries/s, {next(iter(shown))}" if len(shown) == 1 else "queries/s"
    axis = Elapsed(evidence.step_s, evidence.points)
    figure = Figure(title, "queries/s", axis, linear(stacked, compact), note)
    return bar_chart(
        figure, [Series(name, values, ink) for (name, values), ink in zip(shown.items(), SEVERAL, strict=False)]
    )


def _trustworthy(figures: QueryFigures) -> Html | None:
    """What the comparison of answers with what was sent, and with each other, has given."""
    said: list[Child] = []
    for verdict, words in CHECKS.items():
        if verdict in figures.checks:
            count = figures.checks[verdict]
            said.append([datum(f"query.checks.{verdict}", count, whole(count)), f" {words}. "])
    if figures.repeated is not None and figures.differing is not None:
        repeated = datum("query.repeated", figures.repeated, whole(figures.repeated))
        differing = datum("query.differing", figures.differing, whole(figures.differing))
        said.append([repeated, " questions about a closed window were asked again; ", differing, CHANGED])
        said.extend(f" {difference}." for difference in figures.differences[:MOST_DIFFERENCES])
    return element("p", said, class_="under") if said else None


def _tables(figures: QueryFigures) -> list[Html]:
    """By kind only where there are several."""
    kinds = (
        ("By query", "by_query", figures.by_query),
        ("By time bucket", "by_bucket", figures.by_bucket),
        ("By kind", "by_kind", figures.by_kind),
    )
    return [
        _table(title, [Group(name, f"query.{path}.{name}", group) for name, group in groups.items()])
        for title, path, groups in kinds
        if len(groups) > (path == "by_kind")
    ]


def _table(title: str, groups: list[Group]) -> Html:
    slowest = max((group.figures.response_ms.p99 for group in groups if group.figures.response_ms), default=1.0)
    busiest = max((group.figures.queries_per_s for group in groups), default=1.0)
    counts = [one for one in COUNTS if any(getattr(group.figures, one[1]) is not None for group in groups)]
    names = ("Answered", "p50", "p95", "p99", "Service p99", "Failed", *(name for name, _, _ in counts))
    head = element(
        "tr", element("th", title, scope="col"), [element("th", name, scope="col", class_="number") for name in names]
    )
    body = [_row(group, counts, busiest, slowest) for group in groups]
    table = element("table", element("thead", head), element("tbody", body))
    return element("div", element("div", table, class_="scroll"), class_="card")


def _row(group: Group, counts: Sequence[CountColumn], busiest: float, slowest: float) -> Html:
    figures, path = group.figures, group.path
    rate = datum(f"{path}.queries_per_s", figures.queries_per_s, f"{digits(figures.queries_per_s)}\u00a0/s")
    cells: list[Child] = [element("td", rate, _bar(figures.queries_per_s, busiest), class_="number")]
    for key, value in _percentiles(figures).items():
        shown = datum(f"{path}.response_ms.{key}", value, milliseconds(value))
        cells.append(element("td", shown, _bar(value, slowest), class_="number"))
    if figures.response_ms is None:
        cells.append(element("td", "no answer", colspan="4", class_="number note"))
    elif figures.service_ms is not None:
        service = datum(f"{path}.service_ms.p99", figures.service_ms.p99, milliseconds(figures.service_ms.p99))
        cells.append(element("td", service, _bar(figures.service_ms.p99, slowest), class_="number"))
    failed = datum(f"{path}.failed", figures.failed, whole(figures.failed))
    cells.append(element("td", failed, class_="number bad" if figures.failed else "number"))
    cells.extend(element("td", _count(group, key, text), class_="number") for _, key, text in counts)
    return element("tr", element("th", group.name, scope="row"), cells)


def _percentiles(figures: QueryGroup) -> Mapping[str, float]:
    response = figures.response_ms
    return {} if response is None else {"p50": response.p50, "p95": response.p95, "p99": response.p99}


def _bar(value: float, most: float) -> Html:
    share = value / most if most > 0 else 0.0
    return element("span", element("i", style=f"width:{share:.1%}"), class_="track", aria_hidden="true")


def _count(group: Group, key: str, text: Callable[[float], str]) -> Child:
    """One of the counts, where there is one."""
    value: int | None = getattr(group.figures, key)
    return NOTHING if value is None else datum(f"{group.path}.{key}", value, text(value))
