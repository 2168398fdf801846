"""A schedule before anything is sent: what its rate will be, drawn on a terminal or as a page."""

from __future__ import annotations

from typing import Final

import numpy as np

from vivace.pace import Rate
from vivace.report.chart.figure import Elapsed, Figure, Series
from vivace.report.chart.lines import line_chart
from vivace.report.chart.scale import linear
from vivace.report.markup import element
from vivace.report.page import page
from vivace.report.quantity import clock, compact, digits

BLOCKS: Final = " ▁▂▃▄▅▆▇█"
COLUMNS: Final = 64
ROWS: Final = 10
POINTS: Final = 400


def preview_text(rate: Rate, duration_s: float) -> str:
    """Columns of blocks over time, the highest rate of each stretch; then how many events that makes."""
    heights = _highest(rate, duration_s, COLUMNS)
    scale = linear(heights, lambda value: compact(value, "/s"))
    eighths = np.rint(np.array(heights) / scale.high * ROWS * 8).astype(int)
    labels = {round(tick.place * (ROWS - 1)): tick.text for tick in scale.ticks}
    lines = [
        f"{labels.get(row, ''):>10} |" + "".join(BLOCKS[min(max(height - 8 * row, 0), 8)] for height in eighths)
        for row in reversed(range(ROWS))
    ]
    end = clock(duration_s)
    axis = [f"{'':>10} +{'-' * COLUMNS}", f"{'':>12}0:00{end:>{COLUMNS - 4}}"]
    return "\n".join([*lines, *axis, f"{'':>12}{_told(rate, duration_s)}"])


def preview_page(rate: Rate, duration_s: float, title: str) -> str:
    """The same as a page that opens anywhere."""
    heights = _highest(rate, duration_s, POINTS)
    figure = Figure(
        "Events that fall due",
        "events/s",
        Elapsed(duration_s / POINTS, POINTS),
        linear(heights, lambda value: compact(value, "")),
    )
    chart = line_chart(figure, [Series("events due", heights)], filled=True)
    body = element("main", element("h1", title), element("p", _told(rate, duration_s), class_="under"), chart)
    return page(title, [body], script=True)


def _highest(rate: Rate, duration_s: float, columns: int) -> list[float]:
    """Of each of so many stretches of time."""
    inside = (np.arange(columns * 16) + 0.5) * duration_s / (columns * 16)
    highest: list[float] = rate.per_second_at(inside).reshape(columns, 16).max(axis=1).tolist()
    return highest


def _told(rate: Rate, duration_s: float) -> str:
    events = float(rate.events(np.array([duration_s]))[0])
    return f"{compact(events)} events in {clock(duration_s)}, {digits(events / duration_s)} per second on average"
