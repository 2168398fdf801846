"""Evidence -> sections -> one HTML file with its style and script inside, which opens anywhere without a network.

Charts are SVG drawn here rather than by a chart library. A page is then some hundred kilobytes instead of five
megabytes, is there at once (also on a phone, from a mail, or without JavaScript), prints sharply, follows light and
dark, and its text is text: to be read aloud, searched and copied. A hundred lines of script add what moves: the numbers
under the pointer or the arrow keys, and a cursor at the same instant in all charts.
"""

from __future__ import annotations

from pathlib import Path

from vivace.measure.figures import Figures
from vivace.measure.series import send_series
from vivace.report import wording
from vivace.report.evidence import Evidence
from vivace.report.markup import Html, element
from vivace.report.page import page
from vivace.report.section.books import books
from vivace.report.section.configuration import configuration
from vivace.report.section.failures import failures
from vivace.report.section.latency import latency
from vivace.report.section.load import load
from vivace.report.section.queries import queries
from vivace.report.section.resources import resources
from vivace.report.section.tiles import tiles
from vivace.report.section.trust import trust
from vivace.report.section.verdict import verdict
from vivace.report.section.visibility import visibility
from vivace.report.text_file import write_text


def write_dashboard(evidence: Evidence, path: Path) -> Path:
    """Writes the dashboard, complete or not at all."""
    return write_text(path, dashboard(evidence))


def dashboard(evidence: Evidence) -> str:
    """The page of one profile's run."""
    figures = evidence.figures
    title = f"{figures.verdict or 'Not judged'}: {figures.profile}"
    return page(title, [_header(figures), element("main", _sections(evidence)), _footer(figures)], script=True)


def _sections(evidence: Evidence) -> list[Html | None]:
    figures = evidence.figures
    sends = send_series(evidence.sends, evidence.start_ns)
    return [
        verdict(figures),
        tiles(figures),
        books(figures),
        load(evidence, sends),
        latency(evidence, sends),
        failures(evidence),
        visibility(evidence),
        queries(evidence),
        resources(evidence),
        trust(figures),
        configuration(figures),
    ]


def _header(figures: Figures) -> Html:
    facts = [
        wording.when(figures),
        wording.duration(figures),
        f"target: {wording.target(figures)}",
        f"seed {figures.seed}",
    ]
    return element(
        "header",
        element("div", element("p", "Vivace", class_="mark"), element("h1", figures.profile)),
        element("p", [element("span", fact) for fact in facts], class_="about"),
    )


def _footer(figures: Figures) -> Html:
    version = figures.machine.versions.get("vivace", "")
    said = f"Vivace {version}. Every figure is computed from the run's ledgers, which lie beside this file."
    return element("footer", element("p", said))
