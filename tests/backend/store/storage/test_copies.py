"""Local copies of blocks: bounded, fetched once, and never the only ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep

import pyarrow.parquet as pq
import pytest
from prometheus_client import CollectorRegistry
from tests.backend.store.storage.blocks import data_folder, forget_copy, name_in_manifest, tables, written

from vivace.backend.store.folder import DataFolder
from vivace.backend.store.storage.figures import StorageFigures
from vivace.backend.store.storage.interface import Storage
from vivace.backend.store.storage.opening import open_storage
from vivace.backend.store.storage.settings import StorageSettings
from vivace.backend.store.unit import UnitInfo

pytestmark = pytest.mark.timeout(400)  # the server may have to be built first


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return data_folder(tmp_path / "data")


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def opened(bucket: Path, folder: DataFolder, cache_bytes: int, registry: CollectorRegistry | None = None) -> Storage:
    figures = StorageFigures(registry or CollectorRegistry(), "querier")
    storage = open_storage(StorageSettings(f"s3://{bucket.name}/prod", cache_bytes=cache_bytes), folder, figures)
    storage.claim()
    return storage


def copies(folder: DataFolder, units: list[UnitInfo]) -> list[int]:
    """The places in a list of the blocks that have a local copy."""
    return [place for place, unit in enumerate(units) if folder.block(unit.id).exists()]


def used(folder: DataFolder, units: list[UnitInfo]) -> None:
    """As if they had last been used one after the other, long ago."""
    for place, unit in enumerate(units):
        os.utime(folder.block(unit.id), (1000 + place, 1000 + place))


def test_what_was_not_used_for_longest_goes(bucket: Path, folder: DataFolder) -> None:
    units = [written(folder, seed) for seed in range(5)]
    roomy = opened(bucket, folder, 1 << 30)
    for unit in units:
        roomy.put(unit)
    name_in_manifest(folder, *units)
    assert copies(folder, units) == [0, 1, 2, 3, 4]
    used(folder, units)
    storage = opened(bucket, folder, 3 * max(unit.bytes for unit in units))
    storage.fetch(units[0])
    storage.put(units[4])
    assert copies(folder, units) == [0, 3, 4]
    used(folder, [units[3], units[0], units[4]])
    storage.fetch(units[1])
    assert copies(folder, units) == [0, 1, 4]
    storage.fetch(units[2])
    assert copies(folder, units) == [1, 2, 4]


def test_what_the_object_store_has_not_got_stays(bucket: Path, folder: DataFolder) -> None:
    storage = opened(bucket, folder, 1)
    put, local, unnamed = written(folder, 1), written(folder, 2), written(folder, 3)
    storage.put(unnamed)
    name_in_manifest(folder, put, local)
    last = written(folder, 4)
    storage.put(put)
    storage.put(last)
    name_in_manifest(folder, put, local, last)
    used(folder, [local, unnamed, put, last])
    storage.put(last)
    assert copies(folder, [local, unnamed, put, last]) == [0, 1, 3]


def test_there_is_room_again_once_all_is_open(bucket: Path, folder: DataFolder) -> None:
    units = [written(folder, seed) for seed in range(3)]
    storage = opened(bucket, folder, 1)
    for unit in units:
        storage.put(unit)
    name_in_manifest(folder, *units)
    forget_copy(folder, units[0])
    sources = [storage.open(unit) for unit in reversed(units)]
    assert [source.rows("spans") for source in sources] == [15] * 3
    while len(copies(folder, units)) > 1:
        sleep(0.05)
    assert [source.tables().spans.num_rows for source in sources] == [15] * 3


def test_a_block_that_went_is_read_on_and_then_let_go(bucket: Path, folder: DataFolder) -> None:
    first, second = written(folder, 1), written(folder, 2)
    storage = opened(bucket, folder, 1)
    storage.put(first)
    storage.put(second)
    name_in_manifest(folder, first, second)
    source = storage.open(first)
    reading = source._file("spans")
    used(folder, [first])
    forget_copy(folder, second)
    storage.fetch(second)
    assert copies(folder, [first, second]) == [1]
    assert reading.read().num_rows == 15
    ended = weakref.ref(reading)
    del reading
    assert ended() is None  # nobody holds what it took on the disk
    used(folder, [second])
    assert source.tables().spans.equals(tables(1).spans)
    assert copies(folder, [first, second]) == [0]


def test_a_copy_that_is_damaged_is_fetched_again(bucket: Path, folder: DataFolder, registry: CollectorRegistry) -> None:
    storage = opened(bucket, folder, 1 << 30, registry)
    unit = written(folder, 1)
    storage.put(unit)
    path = folder.block(unit.id) / "spans.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    assert storage.open(unit).tables().spans.equals(tables(1).spans)
    (folder.block(unit.id) / "events.parquet").unlink()
    assert storage.open(unit).tables().events.equals(tables(1).events)
    labels = {"event": "damaged", "process": "querier"}
    assert registry.get_sample_value("vivace_storage_copies_total", labels) == 2


FETCH = """
import pathlib, sys
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.manifest import read_manifest
from vivace.backend.store.storage.copies import Copies
from vivace.backend.store.storage.opening import open_storage
from vivace.backend.store.storage.settings import StorageSettings

fetched = Copies.fetched
Copies.fetched = lambda *given: print(fetched(*given), flush=True)
folder = DataFolder(pathlib.Path(sys.argv[1]))
storage = open_storage(StorageSettings(sys.argv[2]), folder)
(unit,) = read_manifest(folder.manifest).units
print("ready", flush=True)
sys.stdin.readline()
storage.fetch(unit)
"""


def test_processes_that_want_the_same_block_fetch_it_once(bucket: Path, folder: DataFolder) -> None:
    unit = written(folder, 1)
    opened(bucket, folder, 1 << 30).put(unit)
    name_in_manifest(folder, unit)
    forget_copy(folder, unit)
    arguments = [sys.executable, "-c", FETCH, str(folder.root), f"s3://{bucket.name}/prod"]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(arguments, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    said = [process.communicate("go\n")[0] for process in processes]
    assert sorted(said) == ["False\n", "False\n", "True\n"]
    assert [process.returncode for process in processes] == [0, 0, 0]


def test_threads_that_want_the_same_block_fetch_it_once(
    bucket: Path, folder: DataFolder, registry: CollectorRegistry
) -> None:
    unit = written(folder, 1)
    storage = opened(bucket, folder, 1 << 30, registry)
    storage.put(unit)
    forget_copy(folder, unit)
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda _: storage.open(unit).rows("spans"), range(16)))
    assert rows == [15] * 16
    labels = {"event": "fetched", "process": "querier"}
    assert registry.get_sample_value("vivace_storage_copies_total", labels) == 1


def test_many_readers_share_room_for_one_block(bucket: Path, folder: DataFolder) -> None:
    units = [written(folder, seed) for seed in range(4)]
    storage = opened(bucket, folder, 1)
    for unit in units:
        storage.put(unit)
        forget_copy(folder, unit)
    name_in_manifest(folder, *units)
    expected = [tables(seed).spans.num_rows for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            sources = [storage.open(unit) for unit in units]
            assert list(pool.map(lambda source: source.tables().spans.num_rows, sources)) == expected
    last, *others = units
    used(folder, [unit for unit in others if folder.block(unit.id).exists()])
    shutil.rmtree(folder.block(last.id), ignore_errors=True)
    storage.fetch(last)
    assert copies(folder, units) == [0]


def test_what_a_killed_process_left_goes_at_the_next_start(bucket: Path, folder: DataFolder) -> None:
    unit = written(folder, 1)
    opened(bucket, folder, 1 << 30).put(unit)
    forget_copy(folder, unit)
    for name in (unit.id, f"{unit.id}.going"):
        (folder.root / "moving" / name).mkdir(parents=True)
        (folder.root / "moving" / name / "spans.parquet").touch()
    storage = opened(bucket, folder, 1 << 30)
    assert [path.name for path in (folder.root / "moving").iterdir() if path.is_dir()] == []
    assert pq.read_table(storage.fetch(unit) / "spans.parquet").num_rows == 15


def test_requests_are_counted_as_tempo_counts_them(
    bucket: Path, folder: DataFolder, registry: CollectorRegistry
) -> None:
    storage = opened(bucket, folder, 1 << 30, registry)
    unit = written(folder, 1)
    storage.put(unit)
    forget_copy(folder, unit)
    storage.fetch(unit)
    storage.fetch(unit)
    storage.remove(unit)
    with pytest.raises(FileNotFoundError):
        storage.fetch(unit)

    def requests(operation: str, status: str) -> float | None:
        labels = {"operation": operation, "status_code": status, "process": "querier"}
        return registry.get_sample_value("tempodb_backend_request_duration_seconds_count", labels)

    def moved(direction: str) -> float | None:
        return registry.get_sample_value("vivace_storage_bytes_total", {"direction": direction, "process": "querier"})

    assert requests("PUT", "200") == 9  # seven files, what they are, and whose it is
    assert requests("DELETE", "200") == 2
    assert requests("GET", "404") == 2  # whose it was, and what is gone
    assert moved("up") == unit.bytes
    assert moved("down") == unit.bytes
