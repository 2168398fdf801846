"""Figures are written as `<profile>.json` and read back; what was not measured is not in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.judge.runs import run

from vivace.errors import OutputError
from vivace.measure.figures import read_figures, write_figures


def test_figures_are_read_as_they_were_written(tmp_path: Path) -> None:
    figures = run(ceiling=None)
    write_figures(figures, tmp_path / "small.json")
    assert read_figures(tmp_path / "small.json") == figures
    assert [path.name for path in tmp_path.iterdir()] == ["small.json"]


def test_what_was_not_measured_is_not_in_the_file(tmp_path: Path) -> None:
    write_figures(run(query=None, verification=None, resources=None, clock_step_ms=None), tmp_path / "small.json")
    written = json.loads((tmp_path / "small.json").read_text())
    assert written.keys().isdisjoint(("query", "verification", "resources", "ceiling", "clock_step_ms", "verdict"))
    assert "null" not in (tmp_path / "small.json").read_text()
    assert written["ingest"].keys() >= {
        "offered_spans",
        "dropped_spans",
        "sent_spans",
        "acknowledged_spans",
        "rejected_spans",
        "failed_spans",
        "unknown_spans",
        "sent_bytes",
        "spans_per_s",
        "mb_per_s",
        "response_ms",
        "service_ms",
    }
    assert "late_ms" not in written["ingest"]


def test_figures_of_a_newer_version_can_be_read(tmp_path: Path) -> None:
    written = json.loads(run().model_dump_json(exclude_none=True)) | {"tomorrow": 1}
    (tmp_path / "small.json").write_text(json.dumps(written))
    assert read_figures(tmp_path / "small.json") == run()


@pytest.mark.parametrize("content", ["", "{}", "[1", '{"profile": 5}'])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "small.json").write_text(content)
    with pytest.raises(OutputError, match=r"small\.json: no figures can be read from it; name a folder"):
        read_figures(tmp_path / "small.json")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no figures can be read from it"):
        read_figures(tmp_path / "small.json")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written: No such file or directory"):
        write_figures(run(), tmp_path / "none" / "small.json")
