"""How soon what was acknowledged could be read back, and whether all of it could."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from vivace.measure.figures import VerificationFigures
from vivace.measure.series import visible_series
from vivace.report.chart.bars import bar_chart
from vivace.report.chart.figure import Figure, Ink, Labelled, Series
from vivace.report.chart.scale import Tick, counting, short
from vivace.report.curves import Distribution, distribution, round_up
from vivace.report.evidence import Evidence
from vivace.report.facts import Fact, fact_list
from vivace.report.markup import Html, datum, element
from vivace.report.quantity import milliseconds, whole

TICKS: Final = 6


def visibility(evidence: Evidence) -> Html | None:
    """The distribution of the time to visible, and what became of the traces that were read back."""
    figures = evidence.figures.verification
    if figures is None:
        return None
    spread = distribution(visible_series(evidence.probes, evidence.start_ns)["visible_ms"])
    under = (
        "Sampled traces are read back and compared span by span, from their acknowledgement on until they are complete."
    )
    return element(
        "section",
        element("h2", "Read back"),
        element("p", under, class_="under"),
        element("div", _chart(spread) if spread else None, _card(figures), class_="pair"),
    )


def _chart(spread: Distribution) -> Html:
    bins = len(spread.counts)
    edges = [n * spread.width for n in range(bins + 1)]
    labels = [f"{milliseconds(low)} to {milliseconds(high)}" for low, high in pairwise(edges)]
    if spread.open:
        labels[-1] = f"over {milliseconds(edges[-2])}"
    step = max(round_up(edges[-1] / TICKS), spread.width)
    marked = [n * step for n in range(int(edges[-1] / step + 1e-9) + 1)]
    ticks = tuple(Tick(edge / edges[-1], short(milliseconds(edge))) for edge in marked)
    axis = Labelled([(n + 0.5) / bins for n in range(bins)], labels, ticks)
    figure = Figure("Time to visible", "traces", axis, counting(spread.counts, whole), "traces by time")
    return bar_chart(figure, [Series("traces", [float(count) for count in spread.counts], Ink.MAIN)])


def _card(figures: VerificationFigures) -> Html:
    counts = [
        ("Read back and compared", "checked_traces", figures.checked_traces),
        ("Missing, or not complete", "missing_traces", figures.missing_traces),
        ("Not as they were sent", "wrong_traces", figures.wrong_traces),
        ("Could not be checked", "unchecked_traces", figures.unchecked_traces),
    ]
    facts: list[Fact] = [(name, datum(f"verification.{key}", value, whole(value))) for name, key, value in counts]
    if figures.visible_ms is not None:
        facts += [
            (f"Visible, {words}", datum(f"verification.visible_ms.{key}", value, milliseconds(value)))
            for words, key, value in (
                ("half within", "p50", figures.visible_ms.p50),
                ("95 % within", "p95", figures.visible_ms.p95),
                ("99 % within", "p99", figures.visible_ms.p99),
                ("slowest", "max", figures.visible_ms.max),
            )
        ]
    problems = element("ul", [element("li", problem) for problem in figures.problems], class_="problems")
    return element(
        "div", element("h3", "Traces"), fact_list(facts), problems if figures.problems else None, class_="card"
    )
