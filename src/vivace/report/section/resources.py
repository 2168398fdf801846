"""What the target used while it was under load, and the generator beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from vivace.measure.metrics import Source
from vivace.report import usage
from vivace.report.chart.figure import SEVERAL, Elapsed, Figure, Ink, Series
from vivace.report.chart.lines import line_chart
from vivace.report.chart.scale import Scale, linear
from vivace.report.curves import Values, gathered, highest
from vivace.report.evidence import Evidence
from vivace.report.markup import Html, element
from vivace.report.quantity import digits, size

SOURCES: Final[tuple[Source, ...]] = ("target", "generator")


def resources(evidence: Evidence) -> Html | None:
    """CPU and memory over time, by process."""
    charts = [chart for source in SOURCES for chart in _charts(evidence, source)]
    if not charts:
        return None
    return element("section", element("h2", "CPU and memory"), element("div", charts, class_="pair"))


def _charts(evidence: Evidence, source: Source) -> Iterator[Html]:
    """A process has the same ink in both charts of its source."""
    cores = gathered(usage.cores(evidence, source), len(SEVERAL))
    megabytes = gathered(usage.memory(evidence, source), len(SEVERAL))
    inks = dict(zip(dict.fromkeys([*cores, *megabytes]), SEVERAL, strict=False))
    axis, title = Elapsed(evidence.step_s, evidence.points), source.capitalize()
    if cores:
        yield _chart(Figure(f"{title}: CPU", "cores", axis, _scale(cores, digits), "cores"), cores, inks)
    if megabytes:
        yield _chart(Figure(f"{title}: memory", "MB", axis, _scale(megabytes, _size)), megabytes, inks)


def _chart(figure: Figure, processes: Mapping[str, Values], inks: Mapping[str, Ink]) -> Html:
    return line_chart(figure, [Series(name, values, inks.get(name, Ink.SIXTH)) for name, values in processes.items()])


def _scale(processes: Mapping[str, Values], text: Callable[[float], str]) -> Scale:
    return linear(highest(list(processes.values())), text)


def _size(megabytes: float) -> str:
    return size(megabytes * 1e6)
