"""Bars over an axis, stacked where there are several series."""

from __future__ import annotations

from collections.abc import Sequence

from vivace.report.chart.figure import SIDE, Figure, Series, frame
from vivace.report.markup import Html, element

FILL = 0.86
"""How much of its place a bar takes; the rest is the gap between bars."""


def bar_chart(figure: Figure, series: Sequence[Series]) -> Html:
    """A bar per place; series stack in order, from the bottom. Places must be evenly spaced."""
    floor = [0.0] * len(figure.x.places)
    drawing = []
    for one in series:
        drawing.append(_bars(figure, one, floor))
        floor = [low + (value or 0.0) for low, value in zip(floor, one.values, strict=True)]
    return frame(figure, series, drawing, "bars")


def _bars(figure: Figure, series: Series, floor: Sequence[float]) -> Html:
    width = SIDE * FILL / len(floor)
    path = []
    for place, low, value in zip(figure.x.places, floor, series.values, strict=True):
        if value:
            top, bottom = (SIDE * (1 - figure.y.place(edge)) for edge in (low + value, low))
            path.append(f"M{place * SIDE - width / 2:.1f} {bottom:.1f}V{top:.1f}h{width:.1f}V{bottom:.1f}Z")
    return element("path", class_=f"bar {series.ink}", d="".join(path))
