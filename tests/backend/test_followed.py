"""Files that change while they are followed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from vivace.backend import followed as module
from vivace.backend.followed import Followed, follow
from vivace.errors import ConfigurationError


def number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: is no number") from error


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "number"
    path.write_text("1")
    return path


def followed(file: Path, reports: list[str]) -> Followed[int]:
    return Followed((file,), lambda: number(file), "it stays as it was", reports.append)


def test_a_changed_file_is_read_again_and_a_bad_one_reported_once(file: Path) -> None:
    reports = list[str]()
    found = followed(file, reports)
    file.write_text("22")
    found.look()
    assert (found.value, reports) == (22, [])
    for bad in ("none", None):
        if bad is None:
            file.unlink()
        else:
            file.write_text(bad)
        reports.clear()
        for _ in range(4):
            found.look()
        assert (found.value, reports) == (22, [f"{file}: is no number; it stays as it was"])
    file.write_text("333")
    found.look()
    assert found.value == 333


def test_what_nobody_thought_of_ends_nothing(file: Path) -> None:
    reports = list[str]()

    def read() -> int:
        return 10 // int(file.read_text())

    found = Followed((file,), read, "it stays as it was", reports.append)
    file.write_text("0")
    for _ in range(4):
        found.look()
    (report,) = reports
    assert report.startswith(f"{file}: ZeroDivisionError(")
    assert report.endswith("; it stays as it was")
    file.write_text("5.")
    file.write_text("05")
    found.look()
    assert found.value == 2


def test_a_file_that_is_being_written_is_no_bad_one(file: Path) -> None:
    reports = list[str]()
    found = followed(file, reports)
    for content in ("", "-"):
        file.write_text(content)
        found.look()
    file.write_text("-5")
    found.look()
    assert (found.value, reports) == (-5, [])


def test_a_change_while_the_file_is_read_for_the_first_time_is_seen(file: Path) -> None:
    def read() -> int:
        before = number(file)
        file.write_text("4444")
        return before

    found = Followed((file,), read, "", print)
    assert found.value == 1
    found.look()
    assert found.value == 4444


def test_a_link_to_another_file_is_a_change(tmp_path: Path, file: Path) -> None:
    """As where Kubernetes replaces what it mounts."""
    other = tmp_path / "other"
    other.write_text("7")
    link, new = tmp_path / "link", tmp_path / "new"
    link.symlink_to(file)
    new.symlink_to(other)
    found = followed(link, [])
    new.rename(link)
    found.look()
    assert found.value == 7


def test_files_are_looked_at_without_being_asked_for(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    found = followed(file, [])
    follow([found.look])
    file.write_text("55")
    deadline = time.monotonic() + 20
    while found.value != 55:
        assert time.monotonic() < deadline
        time.sleep(0.01)
