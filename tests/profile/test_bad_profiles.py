"""Every kind of mistake in a profile is named with its line, its field and what to do, all of them at once."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from vivace.errors import ExitCode, InvalidDocument
from vivace.profile.library import load_profile

FOLDER: Final = Path(__file__).parents[1] / "testdata" / "profiles"

BAD: Final = sorted(FOLDER.glob("*.bad.yaml"))


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name)
def test_every_problem_is_named(path: Path) -> None:
    """Beside each bad file stands what is said of it; of a line that ends with … only the beginning."""
    with pytest.raises(InvalidDocument) as raised:
        load_profile(path)
    assert raised.value.exit_code is ExitCode.USAGE
    said = str(raised.value).splitlines()
    expected = path.with_suffix(".txt").read_text().splitlines()
    for line, wanted in zip(said, expected, strict=True):
        found = line.removeprefix(str(path)).lstrip(": ")
        assert found.startswith(wanted.removesuffix("…")) if wanted.endswith("…") else found == wanted
        assert line.startswith(f"{path}:")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidDocument, match=r"none\.yaml: document: cannot be read: No such file or directory"):
        load_profile(tmp_path / "none.yaml")


def test_a_folder_is_no_profile(tmp_path: Path) -> None:
    with pytest.raises(InvalidDocument, match="cannot be read: Is a directory"):
        load_profile(tmp_path)


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"name: x\ndescription: caf\xe9\n")
    with pytest.raises(InvalidDocument, match=r"latin\.yaml:2: document: is not UTF-8 text; save it as UTF-8"):
        load_profile(path)


def test_a_file_with_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"name: \x01\x02\n")
    with pytest.raises(InvalidDocument, match=r"binary\.yaml: document: is not YAML"):
        load_profile(path)


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text("# " + "x" * 2**20 + "\nname: x\n")
    with pytest.raises(InvalidDocument, match="is larger than 1 MiB; name a configuration, not data"):
        load_profile(path)
