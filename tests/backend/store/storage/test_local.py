"""Blocks that are kept in the data folder alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.backend.store.storage.blocks import data_folder, tables, written

from vivace.backend.store.storage.home import Home, write_home
from vivace.backend.store.storage.opening import open_storage
from vivace.backend.store.storage.settings import StorageSettings
from vivace.errors import ConfigurationError


def test_a_block_is_where_it_was_written_until_it_is_removed(tmp_path: Path) -> None:
    folder = data_folder(tmp_path)
    storage = open_storage(StorageSettings(), folder)
    storage.claim()
    unit, other = written(folder, 1), written(folder, 2)
    storage.put(unit)
    assert storage.fetch(unit) == folder.block(unit.id)
    assert storage.open(unit).tables().spans.equals(tables(1).spans)
    assert storage.check([unit, other]) == {}
    storage.remove(unit)
    storage.remove(unit)
    with pytest.raises(FileNotFoundError, match=unit.id):
        storage.fetch(unit)
    assert storage.check([unit, other]) == {unit.id: "damaged"}
    assert storage.restored() == ()
    assert storage.tidy([]) == 0
    assert storage.check([other]) == {}


def test_a_block_of_another_size_is_damaged(tmp_path: Path) -> None:
    folder = data_folder(tmp_path)
    unit = written(folder, 1)
    with (folder.block(unit.id) / "spans.parquet").open("ab") as file:
        file.write(b"x")
    assert open_storage(StorageSettings(), folder).check([unit]) == {unit.id: "damaged"}


def test_a_folder_whose_blocks_are_elsewhere_is_refused(tmp_path: Path) -> None:
    folder = data_folder(tmp_path)
    write_home(folder, Home("s3://traces/prod", "abc"))
    with pytest.raises(ConfigurationError, match="start with --storage s3://traces/prod"):
        open_storage(StorageSettings(), folder).claim()
