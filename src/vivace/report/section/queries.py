"""What was asked and how quickly it was answered: over time, by query, by time bucket and by kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vivace.measure.figures import QueryFigures, QueryGroup
from vivace.measure.series import query_series
from vivace.report.evidence import Evidence
from vivace.report.markup import Child, Html, datum, element
from vivace.report.quantity import NOTHING, digits, milliseconds, whole
from vivace.report.section.latency import latency_curve, latency_over_time


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
    charts = None
    if not evidence.queries["ended_ns"].is_null().all():
        series = query_series(evidence.queries, evidence.start_ns)
        over_time = latency_over_time(evidence, evidence.queries, series)
        charts = element("div", over_time, latency_curve(evidence.queries), class_="pair")
    return element("section", element("h2", "Queries"), charts, _tables(figures))


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
    names = ("Answered", "p50", "p95", "p99", "Failed", "Traces")
    head = element(
        "tr", element("th", title, scope="col"), [element("th", name, scope="col", class_="number") for name in names]
    )
    body = [_row(group, busiest, slowest) for group in groups]
    table = element("table", element("thead", head), element("tbody", body))
    return element("div", element("div", table, class_="scroll"), class_="card")


def _row(group: Group, busiest: float, slowest: float) -> Html:
    figures, path = group.figures, group.path
    rate = datum(f"{path}.queries_per_s", figures.queries_per_s, f"{digits(figures.queries_per_s)}\u00a0/s")
    cells: list[Child] = [element("td", rate, _bar(figures.queries_per_s, busiest), class_="number")]
    for key, value in _percentiles(figures).items():
        shown = datum(f"{path}.response_ms.{key}", value, milliseconds(value))
        cells.append(element("td", shown, _bar(value, slowest), class_="number"))
    if figures.response_ms is None:
        cells.append(element("td", "no answer", colspan="3", class_="number note"))
    failed = datum(f"{path}.failed", figures.failed, whole(figures.failed))
    cells.append(element("td", failed, class_="number bad" if figures.failed else "number"))
    cells.append(element("td", _traces(group), class_="number"))
    return element("tr", element("th", group.name, scope="row"), cells)


def _percentiles(figures: QueryGroup) -> Mapping[str, float]:
    response = figures.response_ms
    return {} if response is None else {"p50": response.p50, "p95": response.p95, "p99": response.p99}


def _bar(value: float, most: float) -> Html:
    share = value / most if most > 0 else 0.0
    return element("span", element("i", style=f"width:{share:.1%}"), class_="track", aria_hidden="true")


def _traces(group: Group) -> Child:
    """How many traces were returned."""
    traces = group.figures.traces
    return NOTHING if traces is None else datum(f"{group.path}.traces", traces, whole(traces))
