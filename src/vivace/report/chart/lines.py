"""Lines over an axis; a gap where nothing was measured, a dot where one value stands alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vivace.report.chart.figure import SIDE, Figure, Series, frame
from vivace.report.markup import Html, element

Point = tuple[float, float]


def line_chart(figure: Figure, series: Sequence[Series], filled: bool = False) -> Html:
    """A line per series, the last on top; `filled` shades the area under the first."""
    drawing = line_paths(figure, series)
    if filled:
        drawing.insert(0, _area(figure, series[0]))
    return frame(figure, series, drawing, "lines")


def line_paths(figure: Figure, series: Sequence[Series]) -> list[Html]:
    """The lines alone, for charts that have something else besides."""
    return [_line(figure, one) for one in series]


def _line(figure: Figure, series: Series) -> Html:
    path = "".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in _dot(run)) for run in _runs(figure, series))
    return element("path", class_=f"line {series.ink}", d=path)


def _area(figure: Figure, series: Series) -> Html:
    path = "".join(
        f"M{run[0][0]:.1f} {SIDE}" + "".join(f"L{x:.1f} {y:.1f}" for x, y in run) + f"V{SIDE}Z"
        for run in _runs(figure, series)
    )
    return element("path", class_=f"shade {series.ink}", d=path)


def _dot(run: list[Point]) -> list[Point]:
    """A run of one point as a line of no length, which round caps make visible."""
    return run * 2 if len(run) == 1 else run


def _runs(figure: Figure, series: Series) -> Iterator[list[Point]]:
    """Stretches without a gap, as points in the plot."""
    run: list[Point] = []
    for place, value in zip(figure.x.places, series.values, strict=True):
        if value is not None:
            run.append((place * SIDE, (1 - figure.y.place(value)) * SIDE))
        elif run:
            yield run
            run = []
    if run:
        yield run
