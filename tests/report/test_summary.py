"""The end of a run fits one screen, whatever happened, and says the verdict and why."""

from __future__ import annotations

from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest
from rich.console import Console

from vivace.measure.figures import Figures, Objective, read_figures
from vivace.report.summary import print_summary, summary

PROFILES = ("1x-medium", "1x-large", "soak", "ingest-only", "query-only")


def printed(figures: Figures, folder: Path, terminal: bool = False) -> str:
    console = Console(file=StringIO(), force_terminal=terminal, width=80)
    print_summary(figures, folder, console)
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


@pytest.mark.parametrize("profile", PROFILES)
def test_it_fits_a_screen(results: Path, profile: str) -> None:
    lines = printed(read_figures(results / f"{profile}.json"), Path("results/latest")).splitlines()
    assert len(lines) <= 24
    assert max(len(line) for line in lines) <= 80


def test_it_fits_a_screen_at_its_worst(results: Path) -> None:
    figures = read_figures(results / "1x-large.json")
    long = "something that takes many words to be said, such as what a target answers when it is too busy, " * 3
    objective = Objective(name="acknowledged_percent_" + "x" * 80, limit=">= 99.5", unit="%", actual=1.0, met=False)
    crowded = figures.model_copy(
        update={
            "profile": "p" * 120,
            "reasons": (long,) * 9,
            "warnings": (long,) * 9,
            "objectives": (*figures.objectives, *(objective,) * 20),
        }
    )
    lines = [line.plain for line in summary(crowded, Path("results"))]
    assert len(lines) <= 24
    assert max(len(line) for line in lines) <= 80
    assert any("more" in line for line in lines)
    assert any("the report has all of them" in line for line in lines)


def test_a_failed_run_says_what_was_missed(results: Path) -> None:
    text = printed(read_figures(results / "1x-large.json"), results)
    assert text.startswith(" FAIL   1x-large")
    assert "4 of 5 objectives were missed." in text
    assert "- missing_traces is 2 traces, but must be = 0" in text
    assert "✕ query_response_p95: 6.35 s (limit <= 2s)" in text
    assert "18,000,000 offered = 17,500,000 sent + 500,000 dropped" in text


def test_missed_objectives_come_first(results: Path) -> None:
    lines = printed(read_figures(results / "1x-large.json"), results).splitlines()
    marks = [line.removeprefix("Objectives").strip()[0] for line in lines if "(limit" in line]
    assert marks == ["✕", "✕", "✕", "✕", "✓"]


def test_it_names_the_dashboard_where_there_is_one_and_the_folder_where_not(tmp_path: Path, results: Path) -> None:
    figures = read_figures(results / "1x-medium.json")
    assert printed(figures, tmp_path).rstrip().endswith(str(tmp_path))
    dashboard = tmp_path / "1x-medium-dashboard.html"
    dashboard.touch()
    assert printed(figures, tmp_path).rstrip().endswith(str(dashboard))


def test_what_was_not_measured_is_not_mentioned(results: Path) -> None:
    text = printed(read_figures(results / "query-only.json"), results)
    assert "Spans" not in text
    assert "Visible" not in text


def test_colours_are_for_terminals_alone(results: Path) -> None:
    figures = read_figures(results / "soak.json")
    assert "\x1b[" not in printed(figures, results)
    assert "\x1b[" in printed(figures, results, terminal=True)


def test_a_terminal_that_knows_no_unicode_is_spared(results: Path) -> None:
    raw = BytesIO()
    file = TextIOWrapper(raw, encoding="ascii")
    print_summary(read_figures(results / "1x-large.json"), results, Console(file=file, width=80))
    file.flush()
    assert b"x missing_traces: 2 traces" in raw.getvalue()


def test_names_cannot_steer_the_terminal(results: Path) -> None:
    figures = read_figures(results / "1x-medium.json").model_copy(update={"profile": "a\x1b[2Jb\nc[red]d"})
    text = printed(figures, results)
    assert "\x1b" not in text
    assert text.startswith(" PASS   a [2Jb c[red]d · 30s")
