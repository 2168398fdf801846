"""A run's folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from vivace.errors import OutputError
from vivace.run import folder
from vivace.run.folder import create_run_folder

NOON = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)


def test_folder_is_named_by_time_and_profiles(tmp_path: Path) -> None:
    made = create_run_folder(tmp_path / "results", ["small", "medium"], NOON)
    assert made.path == tmp_path / "results" / "20260102T120000Z-small+medium"
    assert made.path.is_dir()


def test_latest_points_to_the_newest(tmp_path: Path) -> None:
    create_run_folder(tmp_path, ["small"], NOON)
    second = create_run_folder(tmp_path, ["small"], NOON)
    assert second.path.name == "20260102T120000Z-small-2"
    assert (tmp_path / "latest").resolve() == second.path
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    blocked = tmp_path / "results"
    blocked.write_text("in the way")
    with pytest.raises(OutputError, match=r"--output .*results: .*; name a folder that can be written"):
        create_run_folder(blocked, ["small"], NOON)


def test_full_disk_is_refused_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "LEAST_FREE_BYTES", 2**70)
    with pytest.raises(OutputError, match=r"MiB are free; make room"):
        create_run_folder(tmp_path, ["small"], NOON)
