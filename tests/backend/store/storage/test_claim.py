"""Whose the blocks in a bucket are: one data folder's, and no other's unless it is told to go on with them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from time import sleep

import pytest
from tests.backend.store.rebuild import stored_spans
from tests.backend.store.storage.blocks import data_folder, forget_copy, name_in_manifest, tables, written

from vivace.backend.store.folder import DataFolder
from vivace.backend.store.storage.interface import Storage
from vivace.backend.store.storage.opening import open_storage
from vivace.backend.store.storage.owner import Owner
from vivace.backend.store.storage.settings import StorageSettings
from vivace.backend.store.unit import UnitInfo
from vivace.errors import ConfigurationError, TargetError

pytestmark = pytest.mark.timeout(400)  # the server may have to be built first


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return data_folder(tmp_path / "data")


def opened(where: str, folder: DataFolder, adopt: bool = False) -> Storage:
    return open_storage(StorageSettings(where, adopt=adopt), folder)


def filled(where: str, folder: DataFolder) -> list[UnitInfo]:
    """A data folder whose blocks are in a bucket."""
    storage = opened(where, folder)
    storage.claim()
    units = [written(folder, seed) for seed in (1, 2)]
    for unit in units:
        storage.put(unit)
    name_in_manifest(folder, *units)
    return units


def refused(storage: Storage, line: str) -> None:
    with pytest.raises(ConfigurationError, match=line) as error:
        storage.claim()
    assert "\n" not in str(error.value)


def test_a_data_folder_comes_back_to_its_blocks(bucket: Path, folder: DataFolder) -> None:
    where = f"s3://{bucket.name}/prod"
    units = filled(where, folder)
    again = opened(where, folder)
    again.claim()
    assert again.check(units) == {}
    again.put(written(folder, 3))


def test_an_empty_data_folder_goes_on_with_the_blocks_when_told_to(
    bucket: Path, folder: DataFolder, tmp_path: Path
) -> None:
    where = f"s3://{bucket.name}/prod"
    units = filled(where, folder)
    shutil.rmtree(folder.root)
    empty = data_folder(tmp_path / "empty")
    refused(opened(where, empty), "keeps 2 blocks there; stop the server .* give --storage-adopt to go on with them")
    storage = opened(where, empty, adopt=True)
    storage.claim()
    assert set(storage.restored()) == set(units)
    assert stored_spans(storage.open(units[0]).tables()) == stored_spans(tables(1))
    name_in_manifest(empty, *units)
    opened(where, empty, adopt=True).claim()
    opened(where, empty).claim()


def test_who_was_taken_over_changes_nothing_any_more(bucket: Path, folder: DataFolder, tmp_path: Path) -> None:
    where = f"s3://{bucket.name}/prod"
    units = filled(where, folder)
    old = opened(where, folder)
    new = opened(where, data_folder(tmp_path / "new"), adopt=True)
    new.claim()
    name_in_manifest(folder)
    late = written(folder, 3)
    for change in (lambda: old.put(late), lambda: old.remove(units[0]), lambda: old.tidy([])):
        with pytest.raises(TargetError, match="another server has taken it over; stop that one, or"):
            change()
    assert set(new.restored()) == set(units)
    refused(opened(where, folder), "and this one has data of its own; give another prefix")
    refused(opened(where, folder, adopt=True), "and this one has data of its own; give another prefix")


def test_a_data_folder_with_data_of_its_own_takes_nothing_over(
    bucket: Path, folder: DataFolder, tmp_path: Path
) -> None:
    where = f"s3://{bucket.name}/prod"
    filled(where, folder)
    other = data_folder(tmp_path / "other")
    name_in_manifest(other, written(other, 5))
    for adopt in (False, True):
        refused(opened(where, other, adopt), "another data folder than .*other keeps its blocks there, and this one")
    assert not (other.root / "storage.json").exists()


def test_blocks_whose_owner_is_not_said_are_not_taken_for_ones_own(
    bucket: Path, folder: DataFolder, tmp_path: Path
) -> None:
    where = f"s3://{bucket.name}/prod"
    units = filled(where, folder)
    (bucket / "prod" / "~owner.json").unlink()
    other = data_folder(tmp_path / "other")
    name_in_manifest(other)
    refused(opened(where, other), "another data folder than .*other keeps its blocks there")
    refused(opened(where, data_folder(tmp_path / "empty")), "keeps 2 blocks there")
    storage = opened(where, folder)
    storage.claim()
    assert storage.check(units) == {}


def test_a_data_folder_with_blocks_moves_to_a_bucket(bucket: Path, folder: DataFolder) -> None:
    units = [written(folder, seed) for seed in (1, 2)]
    name_in_manifest(folder, *units)
    storage = opened(f"s3://{bucket.name}", folder)
    storage.claim()
    assert storage.check(units) == {}
    while set(storage.restored()) != set(units):
        sleep(0.02)
    for unit in units:
        forget_copy(folder, unit)
    assert storage.check(units) == {}
    refused(open_storage(StorageSettings(), folder), f"are in s3://{bucket.name}; start with --storage")


def test_a_prefix_without_the_blocks_of_a_data_folder_is_refused(bucket: Path, folder: DataFolder) -> None:
    where = f"s3://{bucket.name}/prod"
    units = filled(where, folder)
    forget_copy(folder, units[1])
    refused(
        opened(f"s3://{bucket.name}/test", folder), f"1 blocks of .* are neither there .* but in {where}; give that"
    )
    shutil.move(bucket / "prod", bucket / "moved")
    storage = opened(f"s3://{bucket.name}/moved", folder)
    storage.claim()
    assert storage.check(units) == {}
    assert json.loads((folder.root / "storage.json").read_text())["where"] == f"s3://{bucket.name}/moved"


def test_of_two_that_begin_at_once_one_is_refused(
    bucket: Path, folder: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = f"s3://{bucket.name}/prod"
    other = data_folder(tmp_path / "other")
    take = Owner.take

    def take_late(self: Owner) -> None:
        monkeypatch.setattr(Owner, "take", take)
        opened(where, other).claim()
        take(self)

    monkeypatch.setattr(Owner, "take", take_late)
    with pytest.raises(TargetError, match="another server has begun to use it"):
        opened(where, folder).claim()
    assert not (folder.root / "storage.json").exists()
    opened(where, other).claim()


def test_a_start_that_was_killed_midway_is_taken_up(bucket: Path, folder: DataFolder) -> None:
    where = f"s3://{bucket.name}/prod"
    (folder.root / "storage.json").write_text(json.dumps({"where": where, "id": "abc"}))
    opened(where, folder).claim()
    assert json.loads((bucket / "prod" / "~owner.json").read_text()) == {"id": "abc"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"where": 1}', "\x00"])
def test_what_is_not_understood_is_refused(bucket: Path, folder: DataFolder, text: str) -> None:
    where = f"s3://{bucket.name}/prod"
    (bucket / "prod").mkdir()
    (bucket / "prod" / "~owner.json").write_text(text)
    with pytest.raises(TargetError, match=r"~owner\.json is not understood .*; give another prefix"):
        opened(where, folder).claim()
    (folder.root / "storage.json").write_text(text)
    with pytest.raises(TargetError, match=r"storage\.json: does not say where blocks are .*; restore it"):
        opened(f"s3://{bucket.name}/other", folder).claim()
