"""The verdict: one word that nobody can miss, why, and what was asked of the target."""

from __future__ import annotations

from typing import Final

from vivace.measure.figures import Figures, Objective
from vivace.report import wording
from vivace.report.markup import Html, datum, element

MARKS: Final = {
    "PASS": Html('<path d="M12 34 26 48 52 16"/>'),
    "FAIL": Html('<path d="M16 16 48 48M48 16 16 48"/>'),
    "INVALID": Html('<path d="M32 10V37M32 52V53" stroke-width="8"/>'),
}
"""A shape beside each word, so that no verdict depends on colour."""
UNJUDGED: Final = "NOT JUDGED"


def verdict(figures: Figures) -> Html:
    """The banner, and below it what limits the trust in it and the objectives."""
    word = figures.verdict or UNJUDGED
    banner = element(
        "div",
        element("svg", MARKS.get(word), viewBox="0 0 64 64", aria_hidden="true"),
        element("h2", word, class_="word"),
        element("div", element("p", wording.headline(figures)), _listed(figures.reasons), class_="why"),
        class_="banner",
    )
    kind = (figures.verdict or "unjudged").lower()
    return element("section", banner, _cautions(figures), _objectives(figures), class_=f"verdict {kind}")


def _listed(sentences: tuple[str, ...]) -> Html | None:
    return element("ul", [element("li", sentence) for sentence in sentences]) if sentences else None


def _cautions(figures: Figures) -> Html | None:
    if not figures.warnings:
        return None
    return element("div", element("p", "To be read with care"), _listed(figures.warnings), class_="cautions")


def _objectives(figures: Figures) -> Html | None:
    if not figures.objectives:
        return None
    head = element(
        "tr",
        element("th", "Objective", scope="col"),
        element("th", "Limit", scope="col", class_="number"),
        element("th", "Measured", scope="col", class_="number"),
        element("th", "Result", scope="col", class_="number"),
    )
    rows = [_row(n, objective) for n, objective in enumerate(figures.objectives)]
    return element("div", element("table", element("thead", head), element("tbody", rows)), class_="objectives")


def _row(number: int, objective: Objective) -> Html:
    text = wording.measured(objective)
    value = text if objective.actual is None else datum(f"objectives.{number}.actual", objective.actual, text)
    result = {True: "✓ ", False: "✕ ", None: ""}[objective.met] + wording.met(objective)
    return element(
        "tr",
        element("th", objective.name, scope="row"),
        element("td", wording.limit(objective), class_="number"),
        element("td", value, class_="number"),
        element("td", element("span", result, class_=wording.met(objective).replace(" ", "-")), class_="number"),
    )
