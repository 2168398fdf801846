"""The frame every chart shares: title, legend, axes, and the numbers the page's script shows on hover.

The plot is an SVG that stretches with the page while its strokes do not; what is written is HTML laid over it, so text
has the page's size and sharpness at every width. Coordinates inside the SVG go from 0 to 1000 both ways, y downward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from vivace.report.chart.scale import Scale, Tick, elapsed
from vivace.report.markup import Html, element, json_block

SIDE = 1000


class Ink(StrEnum):
    """How a series is drawn; the style sheet gives each its colour and weight."""

    MAIN = "main"
    MAIN_SOFT = "main-soft"
    OTHER = "other"
    OTHER_SOFT = "other-soft"
    FIRST = "first"
    SECOND = "second"
    THIRD = "third"
    FOURTH = "fourth"
    FIFTH = "fifth"
    SIXTH = "sixth"


SEVERAL = (Ink.FIRST, Ink.SECOND, Ink.THIRD, Ink.FOURTH, Ink.FIFTH, Ink.SIXTH)
"""For series of equal standing; they differ in lightness too, so that they can be told apart without hue."""


@dataclass(frozen=True, slots=True)
class Elapsed:
    """An x axis in time since the start: `count` values, each standing for `step_s` seconds."""

    step_s: float
    count: int

    @property
    def span_s(self) -> float:
        return self.step_s * self.count

    @property
    def places(self) -> list[float]:
        """The middle of each step."""
        return [(n + 0.5) / self.count for n in range(self.count)]

    @property
    def ticks(self) -> tuple[Tick, ...]:
        return elapsed(self.span_s)

    def for_script(self) -> dict[str, object]:
        """What the script needs to find and name a value."""
        return {"step": self.step_s, "count": self.count}


@dataclass(frozen=True, slots=True)
class Labelled:
    """An x axis on which every value has its own place (0 to 1) and words."""

    places: Sequence[float]
    labels: Sequence[str]
    ticks: tuple[Tick, ...]

    def for_script(self) -> dict[str, object]:
        """What the script needs to find and name a value."""
        return {"places": [round(place, 4) for place in self.places], "labels": list(self.labels)}


@dataclass(frozen=True, slots=True)
class Series:
    """Values along x, one per place; `None` where nothing was measured."""

    name: str
    values: Sequence[float | None]
    ink: Ink = Ink.MAIN


@dataclass(frozen=True, slots=True)
class Figure:
    """What a chart is about; `note` says in a few words what is drawn and how to read it."""

    title: str
    unit: str
    x: Elapsed | Labelled
    y: Scale
    note: str = ""


def frame(figure: Figure, series: Sequence[Series], drawing: Sequence[Html], kind: str) -> Html:
    """The chart as a `<figure>`; `drawing` are SVG elements in the plot's coordinates, of a kind."""
    return element(
        "figure",
        element("figcaption", element("h3", figure.title), _note(figure), _legend(series)),
        element(
            "div",
            element("div", [_y_label(tick) for tick in figure.y.ticks], class_="axis y", aria_hidden="true"),
            element(
                "div",
                element(
                    "svg",
                    _grid(figure.y),
                    drawing,
                    viewBox=f"0 0 {SIDE} {SIDE}",
                    preserveAspectRatio="none",
                    aria_hidden="true",
                ),
                class_="area",
                tabindex="0",
                role="img",
                aria_label=f"{figure.title}: {_told(figure, series)}",
            ),
            element("div", [_x_label(tick) for tick in figure.x.ticks], class_="axis x", aria_hidden="true"),
            class_="plot",
        ),
        json_block(
            {
                "unit": figure.unit,
                "x": figure.x.for_script(),
                "series": [
                    {"name": one.name, "ink": one.ink, "values": [_rounded(value) for value in one.values]}
                    for one in series
                ],
            }
        ),
        class_=f"chart {kind}",
    )


def _note(figure: Figure) -> Html | None:
    words = [figure.note] if figure.note else []
    if figure.y.logarithmic:
        words.append("logarithmic scale")
    return element("p", ", ".join(words), class_="note") if words else None


def _legend(series: Sequence[Series]) -> Html | None:
    if len(series) < 2:
        return None
    return element("ul", [element("li", one.name, class_=f"key {one.ink}") for one in series], class_="legend")


def _y_label(tick: Tick) -> Html:
    return element("span", tick.text, style=f"bottom:{tick.place:.2%}")


def _x_label(tick: Tick) -> Html:
    return element("span", tick.text, class_="minor" if tick.minor else None, style=f"left:{tick.place:.2%}")


def _grid(scale: Scale) -> Html:
    lines = "".join(f"M0 {SIDE * (1 - tick.place):.0f}H{SIDE}" for tick in scale.ticks)
    return element("path", class_="grid", d=lines)


def _told(figure: Figure, series: Sequence[Series]) -> str:
    """The chart in words, for those who cannot see it."""
    parts = []
    for one in series:
        known = [value for value in one.values if value is not None]
        if known:
            parts.append(f"{one.name} from {min(known):,.4g} to {max(known):,.4g} {figure.unit}")
    return "; ".join(parts)


def _rounded(value: float | None) -> float | None:
    if value is None:
        return None
    short = float(f"{value:.5g}")
    return int(short) if short.is_integer() else short
