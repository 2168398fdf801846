"""A run's folder is rendered whole, again and again, or refused with one line that names the file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.report import sample
from tests.report.page_reader import Page

from vivace.errors import OutputError
from vivace.report.index import write_index
from vivace.report.render import render_run


@pytest.fixture
def folder(results: Path, tmp_path: Path) -> Path:
    """A copy that may be written to."""
    return Path(shutil.copytree(results, tmp_path / "20261112T141320Z-all"))


def test_everything_is_rendered_and_again_the_same(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    written = render_run(folder)
    first = {path: path.read_bytes() for path in written}
    assert len(written) == len(set(written)) == 3 * 5 + 2 * 3 + 2 * 2 - 4 + 1
    assert render_run(folder) == written
    assert {path: path.read_bytes() for path in written} == first
    assert {path: path.read_bytes() for path in before} == before


def test_dashboards_can_be_left_out(folder: Path) -> None:
    assert not [path for path in render_run(folder, dashboards=False) if path.name.endswith("-dashboard.html")]


def test_a_run_of_one_profile_has_no_index(tmp_path: Path) -> None:
    sample.write_run(tmp_path)
    assert "index.html" not in {path.name for path in render_run(tmp_path)}
    assert write_index(tmp_path) is None


def test_the_index_leads_to_every_dashboard_with_its_verdict(folder: Path) -> None:
    render_run(folder)
    page = Page((folder / "index.html").read_text())
    links = {link.text: link.attributes["href"] for link in page.all("a")}
    assert links == {
        name: f"{name}-dashboard.html" for name in ("1x-large", "1x-medium", "ingest-only", "query-only", "soak")
    }
    assert all((folder / str(link)).exists() for link in links.values())
    assert [pill.text for pill in page.all("span", "pill")] == ["FAIL", "PASS", "PASS", "PASS", "INVALID"]


def test_the_index_does_not_link_to_what_is_not_there(folder: Path) -> None:
    render_run(folder, dashboards=False)
    assert not Page((folder / "index.html").read_text()).all("a")


def test_words_in_the_index_never_become_markup(folder: Path) -> None:
    path = folder / "soak.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"reasons": ["<script>alert(1)</script>"]}))
    write_index(folder)
    text = (folder / "index.html").read_text()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nowhere: there is no such folder; name one that a run has left"):
        render_run(tmp_path / "nowhere")


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no run has left its figures here"):
        render_run(tmp_path)


def test_figures_that_are_torn_are_named(folder: Path) -> None:
    path = folder / "soak.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(OutputError, match=r"soak\.json: no figures can be read"):
        render_run(folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("soak-sends.parquet", "PAR1 and nothing"),
        ("soak-queries.parquet", ""),
        ("soak-metrics.csv", "time_s\nx,y,z\n1,2\n"),
    ],
)
def test_a_ledger_that_cannot_be_read_is_named_on_one_line(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content)
    with pytest.raises(OutputError, match=rf"{name}: cannot be read: .*; run the profile again") as caught:
        render_run(folder)
    assert "\n" not in str(caught.value)


def test_ledgers_that_are_not_there_leave_their_charts_out_and_say_so(folder: Path) -> None:
    for kind in ("sends.parquet", "queries.parquet", "probes.parquet", "metrics.csv"):
        (folder / f"soak-{kind}").unlink()
    render_run(folder)
    page = Page((folder / "soak-dashboard.html").read_text())
    assert page.headings()[0] == "INVALID"
    assert "Rate" not in page.headings()
    assert not page.all("figure")
    assert "soak-sends.parquet is not there any more" in (folder / "soak-dashboard.html").read_text()
    assert "caution: soak-queries.parquet is not there any more" in (folder / "soak-query.log").read_text()
