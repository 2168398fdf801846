"""Several profiles' figures -> `index.html`: their verdicts in one table that leads to their dashboards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from vivace.measure.figures import Figures, read_figures
from vivace.report import wording
from vivace.report.evidence import profiles_in
from vivace.report.markup import Child, Html, element
from vivace.report.page import page
from vivace.report.quantity import NOTHING, compact, count, milliseconds, whole
from vivace.report.text_file import write_text

COLUMNS = ("Spans", "Response p99", "Missing traces", "Queries", "Query p95")


def write_index(folder: Path) -> Path | None:
    """Writes the table where there are several; a profile without a dashboard in the folder is named without a link."""
    profiles = profiles_in(folder)
    if len(profiles) < 2:
        return None
    runs = [read_figures(folder / f"{profile}.json") for profile in profiles]
    return write_text(folder / "index.html", _index(runs, folder))


def _index(runs: Sequence[Figures], folder: Path) -> str:
    head = element(
        "tr",
        [element("th", name, scope="col") for name in ("Profile", "Verdict")],
        [element("th", name, scope="col", class_="number") for name in COLUMNS],
    )
    rows = [_row(figures, folder) for figures in runs]
    table = element("table", element("thead", head), element("tbody", rows))
    header = element(
        "header", element("div", element("p", "Vivace", class_="mark"), element("h1", folder.resolve().name))
    )
    body = element("main", element("div", element("div", table, class_="scroll"), class_="card"))
    return page(f"Vivace: {folder.resolve().name}", [header, body])


def _row(figures: Figures, folder: Path) -> Html:
    word = figures.verdict or "NOT JUDGED"
    why = "; ".join(figures.reasons) or wording.headline(figures)
    return element(
        "tr",
        element("th", _link(figures, folder), scope="row"),
        element("td", element("span", word, class_=f"pill {word.lower()}"), element("p", why, class_="note")),
        [element("td", text, class_="number") for text in _cells(figures)],
    )


def _link(figures: Figures, folder: Path) -> Child:
    name = f"{figures.profile}-dashboard.html"
    return element("a", figures.profile, href=quote(name)) if (folder / name).exists() else figures.profile


def _cells(figures: Figures) -> list[str]:
    ingest, query, verification = figures.ingest, figures.query, figures.verification
    return [
        NOTHING if ingest is None else compact(ingest.spans_per_s, "spans/s"),
        NOTHING if ingest is None or ingest.response_ms is None else milliseconds(ingest.response_ms.p99),
        NOTHING if verification is None else whole(verification.missing_traces),
        NOTHING if query is None else count(query.queries_per_s, "queries/s"),
        NOTHING if query is None or query.response_ms is None else milliseconds(query.response_ms.p95),
    ]
