from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests.backend.store.rebuild import sent_spans, stored_spans
from tests.backend.store.sample import request

from vivace.backend.store.block import write_block
from vivace.backend.store.decode import decode
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.manifest import Manifest, write_manifest
from vivace.backend.store.segment import write_segment
from vivace.backend.store.store import Store
from vivace.backend.store.tables import FIXED, Tables
from vivace.backend.store.unit import Unit, UnitInfo, UnitKind, unit_info


def add_segment(folder: DataFolder, seed: int) -> UnitInfo:
    tables = decode([request(seed)])
    size = write_segment(tables, folder.segment(str(seed)))
    return unit_info(str(seed), UnitKind.SEGMENT, tables, size)


def add_block(folder: DataFolder, seed: int) -> UnitInfo:
    tables = decode([request(seed)])
    size = write_block(tables, folder.block(str(seed)))
    return unit_info(str(seed), UnitKind.BLOCK, tables, size)


def spans_of(units: tuple[Unit, ...]) -> Counter[bytes]:
    found: Counter[bytes] = Counter()
    for unit in units:
        found += stored_spans(Tables(**{table: unit.slice(table, 0, unit.rows(table)) for table in FIXED}))
    return found


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    data = DataFolder(tmp_path)
    data.create()
    return data


def test_an_empty_folder_has_no_units(folder: DataFolder) -> None:
    assert Store(folder.root).snapshot() == ()


def test_a_snapshot_shows_what_the_manifest_names(folder: DataFolder) -> None:
    store = Store(folder.root)
    manifest = Manifest(units=(add_block(folder, 1), add_segment(folder, 2)))
    add_segment(folder, 3)
    write_manifest(manifest, folder.manifest)
    assert spans_of(store.snapshot()) == sent_spans([request(1), request(2)])
    assert [unit.info.kind for unit in store.snapshot()] == ["block", "segment"]


def test_units_stay_open_between_snapshots_and_after_they_were_replaced(folder: DataFolder) -> None:
    store = Store(folder.root)
    manifest = Manifest(units=(add_segment(folder, 1), add_segment(folder, 2)))
    write_manifest(manifest, folder.manifest)
    before = store.snapshot()
    write_manifest(manifest.replaced({"1"}, (add_block(folder, 1),)), folder.manifest)
    folder.segment("1").unlink()
    after = store.snapshot()
    assert after[1] is before[1]
    assert spans_of(before) == spans_of(after) == sent_spans([request(1), request(2)])


def test_columns_of_blocks_are_read_once(folder: DataFolder) -> None:
    store = Store(folder.root)
    write_manifest(Manifest(units=(add_block(folder, 1),)), folder.manifest)
    (unit,) = store.snapshot()
    assert unit.column("spans", "name") is unit.column("spans", "name")
