"""A heat map: how often each value occurred in each step of time, the darker the more often."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import ceil, sqrt

from vivace.report.chart.figure import SIDE, Figure, Series, frame
from vivace.report.chart.lines import line_paths
from vivace.report.markup import Html, element

SHADES = 8
FAINTEST = 0.08


def heat_chart(figure: Figure, counts: Sequence[Sequence[int]], lines: Sequence[Series]) -> Html:
    """`counts` by step of time, and in it by row from the bottom; rows are evenly high. Lines lie on top."""
    most = max((count for column in counts for count in column), default=0)
    shades: defaultdict[int, list[str]] = defaultdict(list)
    width = SIDE / max(len(counts), 1)
    for step, column in enumerate(counts):
        height = SIDE / len(column)
        for row, count in enumerate(column):
            if count:
                top = SIDE - (row + 1) * height
                shade = ceil(SHADES * sqrt(count / most))
                shades[shade].append(f"M{step * width:.1f} {top:.1f}h{width:.1f}v{height:.1f}h{-width:.1f}Z")
    drawing = [
        element("path", class_="heat", d="".join(cells), opacity=f"{max(FAINTEST, 0.75 * shade / SHADES):.2f}")
        for shade, cells in sorted(shades.items())
    ]
    return frame(figure, lines, [*drawing, *line_paths(figure, lines)], "lines")
