"""Profiles are found by name, in a folder or as a file; what is not found is answered with a near name."""

from __future__ import annotations

from pathlib import Path

import pytest

from vivace.errors import ConfigurationError, InvalidDocument
from vivace.profile.library import load_profiles, profile_path, profile_paths

BODY = "k6: {vus: {min: 1, max: 2}, ingestion: {mbPerSecond: 1, traceProfile: small}, query: {queriesPerSecond: 1}}\n"


def write(path: Path, name: str) -> Path:
    path.write_text(f"name: {name}\n{BODY}")
    return path


def test_profiles_come_in_the_order_asked_for() -> None:
    assert [profile.name for profile in load_profiles(["medium", "1x-demo", "medium"])] == ["medium", "1x-demo"]


def test_a_folder_adds_profiles_and_replaces_built_in_ones(tmp_path: Path) -> None:
    write(tmp_path / "own.yml", "own")
    small = write(tmp_path / "small.yaml", "small")
    (tmp_path / "notes.txt").write_text("not a profile")
    assert profile_paths(tmp_path).keys() == profile_paths().keys() | {"own"}
    assert profile_path("small", tmp_path) == small
    assert load_profiles(["small"], tmp_path)[0].load.vus.max == 2


def test_a_file_is_named_by_its_path(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.yaml", "mine")
    assert load_profiles([str(path)])[0].name == "mine"


def test_an_unknown_name_is_answered_with_a_near_one() -> None:
    with pytest.raises(ConfigurationError, match='"meduim": no built-in profile has this name; did you mean "medium"'):
        load_profiles(["meduim"])


def test_an_unknown_name_with_none_near_lists_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no profile in .* and none built in has this name; known are 1x"):
        load_profiles(["zebra"], tmp_path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--profiles-dir .*none: cannot be read: No such file"):
        profile_paths(tmp_path / "none")


def test_the_problems_of_all_profiles_are_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: a\n")
    (tmp_path / "b.yaml").write_text(f"colour: red\n{BODY}")
    with pytest.raises(InvalidDocument) as raised:
        load_profiles(["a", "small", "b"], tmp_path)
    assert [problem.field for problem in raised.value.problems] == ["k6", "name", "colour"]


def test_two_profiles_of_one_name_would_write_the_same_files(tmp_path: Path) -> None:
    write(tmp_path / "one.yaml", "same")
    write(tmp_path / "two.yaml", "same")
    with pytest.raises(InvalidDocument, match=r'two\.yaml: name: is "same", as another profile of this run is'):
        load_profiles(["one", "two"], tmp_path)
