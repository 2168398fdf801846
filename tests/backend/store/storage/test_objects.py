"""Blocks in an object store: they are there whole or not at all, and what is not needed any more goes."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from time import sleep

import pytest
from prometheus_client import CollectorRegistry
from tests.backend.store.rebuild import stored_spans
from tests.backend.store.storage.blocks import data_folder, forget_copy, name_in_manifest, tables, written
from tests.backend.store.storage.server import Relay, S3Server

from vivace.backend.store.folder import DataFolder
from vivace.backend.store.manifest import Manifest, write_manifest
from vivace.backend.store.recovery import recover
from vivace.backend.store.storage import bucket as bucket_module
from vivace.backend.store.storage import transfer
from vivace.backend.store.storage.failure import NotWhole
from vivace.backend.store.storage.figures import StorageFigures
from vivace.backend.store.storage.interface import Storage
from vivace.backend.store.storage.opening import open_storage
from vivace.backend.store.storage.settings import StorageSettings
from vivace.backend.store.unit import UnitInfo
from vivace.errors import TargetError

pytestmark = pytest.mark.timeout(400)  # the server may have to be built first


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return data_folder(tmp_path / "data")


@pytest.fixture
def reports() -> list[str]:
    return []


@pytest.fixture
def storage(bucket: Path, folder: DataFolder, reports: list[str]) -> Storage:
    storage = open_storage(StorageSettings(f"s3://{bucket.name}/some/prefix"), folder, report=reports.append)
    storage.claim()
    return storage


def test_a_block_comes_back_as_it_was_put(storage: Storage, folder: DataFolder) -> None:
    unit = written(folder, 1, tenant="a!b-c_d.e*'(f)", level=2)
    storage.put(unit)
    assert storage.restored() == (unit,)
    assert storage.fetch(unit) == folder.block(unit.id)
    forget_copy(folder, unit)
    assert stored_spans(storage.open(unit).tables()) == stored_spans(tables(1))
    storage.put(unit)
    assert storage.restored() == (unit,)


def test_objects_are_named_and_described_as_tempo_does(storage: Storage, folder: DataFolder, bucket: Path) -> None:
    unit = written(folder, 1, tenant="shop", level=1)
    storage.put(unit, replaces={"b" * 32, "a" * 32})
    place = bucket / "some" / "prefix" / "shop" / unit.id
    said = json.loads((place / "meta.json").read_text())
    files = said.pop("files")
    assert said == {
        "format": "vivace1",
        "blockID": unit.id,
        "tenantID": "shop",
        "startTime": "2023-11-14T22:13:20.000000000Z",
        "endTime": "2023-11-14T22:13:20.000004500Z",
        "totalObjects": 3,
        "size": unit.bytes,
        "compactionLevel": 1,
        "spans": 15,
        "start_ns": unit.start_ns,
        "end_ns": unit.end_ns,
        "arrived_ns": unit.arrived_ns,
        "replaces": ["a" * 32, "b" * 32],
    }
    assert {path.name: path.stat().st_size for path in place.iterdir() if path.name != "meta.json"} == files


def test_a_block_of_a_time_without_arrivals_is_read(storage: Storage, folder: DataFolder, bucket: Path) -> None:
    unit = replace(written(folder, 1), arrived_ns=123)
    storage.put(unit)
    assert storage.restored() == (unit,)
    place = bucket / "some" / "prefix" / unit.tenant / unit.id / "meta.json"
    said = json.loads(place.read_text())
    assert said.pop("arrived_ns") == 123
    place.write_text(json.dumps(said))
    assert storage.restored() == (replace(unit, arrived_ns=0),)


def test_a_block_is_put_from_another_folder(storage: Storage, folder: DataFolder) -> None:
    unit = written(folder, 1)
    place = folder.proposals / unit.id
    folder.block(unit.id).rename(place)
    storage.put(unit, place)
    shutil.rmtree(place)
    assert stored_spans(storage.open(unit).tables()) == stored_spans(tables(1))


def test_what_is_not_the_block_is_not_put(storage: Storage, folder: DataFolder) -> None:
    unit = written(folder, 1)
    with pytest.raises(OSError, match=f"is not the {unit.bytes + 1} bytes of block {unit.id}"):
        storage.put(replace(unit, bytes=unit.bytes + 1))
    assert storage.restored() == ()


def test_a_block_that_was_removed_is_nowhere(storage: Storage, folder: DataFolder, bucket: Path) -> None:
    unit, other = written(folder, 1), written(folder, 2)
    storage.put(unit)
    storage.put(other)
    storage.remove(unit)
    storage.remove(unit)
    assert not folder.block(unit.id).exists()
    assert not list(bucket.rglob(f"{unit.id}/*"))
    with pytest.raises(FileNotFoundError, match=f"{unit.id}/meta.json: there is no such object"):
        storage.fetch(unit)
    with pytest.raises(FileNotFoundError):
        storage.open(unit).names("spans")
    assert storage.restored() == (other,)


def test_files_go_and_come_in_parts(storage: Storage, folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PART_BYTES", 999)
    unit = written(folder, 1)
    storage.put(unit)
    before = {path.name: path.read_bytes() for path in folder.block(unit.id).iterdir()}
    forget_copy(folder, unit)
    assert {path.name: path.read_bytes() for path in storage.fetch(unit).iterdir()} == before


def test_a_file_larger_than_a_part_is_put_whole(bucket: Path, tmp_path: Path) -> None:
    figures = StorageFigures(CollectorRegistry(), "test")
    objects = bucket_module.Bucket(StorageSettings(f"s3://{bucket.name}"), figures)
    content = random.Random(1).randbytes(2 * bucket_module.PART_BYTES + 12345)  # noqa: S311 - not for secrets
    (tmp_path / "large").write_bytes(content)
    objects.put_file("a/large", tmp_path / "large")
    assert (bucket / "a" / "large").read_bytes() == content


@pytest.mark.parametrize("arrived", [0, 3, 6, 7])
def test_an_upload_that_is_killed_leaves_no_half_block(
    storage: Storage, folder: DataFolder, bucket: Path, server: S3Server, arrived: int
) -> None:
    whole, half = written(folder, 1), written(folder, 2)
    storage.put(whole)
    name_in_manifest(folder, whole)
    write_manifest(Manifest(units=(half,)), folder.root / "to-put.json")
    relay = Relay(server.port, changes=arrived)
    arguments = [sys.executable, "-c", PUT, str(folder.root), f"s3://{bucket.name}/some/prefix"]
    with subprocess.Popen(arguments, env={**os.environ, **server.environment(relay.port)}) as process:
        assert relay.holds.wait(60)
        process.kill()
    relay.close()
    assert storage.restored() == (whole,)
    forget_copy(folder, half)
    with pytest.raises(FileNotFoundError):
        storage.fetch(half)
    assert storage.tidy([whole]) == (1 if arrived else 0)
    assert not list(bucket.rglob(f"{half.id}/*"))
    assert storage.check([whole]) == {}


PUT = """
import pathlib, sys
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.manifest import read_manifest
from vivace.backend.store.storage.opening import open_storage
from vivace.backend.store.storage.settings import StorageSettings

folder = DataFolder(pathlib.Path(sys.argv[1]))
storage = open_storage(StorageSettings(sys.argv[2]), folder)
for unit in read_manifest(folder.root / "to-put.json").units:
    storage.put(unit)
"""


def test_a_merged_block_takes_the_place_of_those_it_was_made_of(storage: Storage, folder: DataFolder) -> None:
    first, second, third = (written(folder, seed) for seed in (1, 2, 3))
    merged, again = written(folder, 12, level=1), written(folder, 123, level=2)
    for unit in (first, second, third):
        storage.put(unit)
    storage.put(merged, replaces={first.id, second.id})
    assert set(storage.restored()) == {merged, third}
    storage.put(again, replaces={merged.id, third.id})
    assert set(storage.restored()) == {again}
    for unit in (first, second, merged):
        storage.remove(unit)
    assert set(storage.restored()) == {again}


def test_a_merged_block_that_is_damaged_replaces_nothing(storage: Storage, folder: DataFolder, bucket: Path) -> None:
    first, second = written(folder, 1), written(folder, 2)
    merged = written(folder, 12, level=1)
    for unit in (first, second):
        storage.put(unit)
    storage.put(merged, replaces={first.id, second.id})
    damage(bucket, merged)
    forget_copy(folder, merged)
    assert {first, second} <= set(storage.restored())
    assert storage.check([first, second, merged]) == {merged.id: f"damaged in s3://{bucket.name}/some/prefix"}


def test_garbage_goes_in_an_order_in_which_nothing_counts_twice(
    storage: Storage, folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, merged, again = (written(folder, seed) for seed in (1, 12, 123))
    kept = written(folder, 5)
    storage.put(again, replaces={merged.id})
    storage.put(merged, replaces={first.id})
    storage.put(first)
    storage.put(kept)
    name_in_manifest(folder, kept)
    removed: list[str] = []
    delete = bucket_module.Bucket.delete

    def watched(self: bucket_module.Bucket, keys: Sequence[str]) -> None:
        removed.extend(key.split("/")[1] for key in keys if key.endswith("meta.json"))
        delete(self, keys)
        assert storage.restored() in {(kept,), *permutations((kept, again))}

    monkeypatch.setattr(bucket_module.Bucket, "delete", watched)
    assert storage.tidy([kept]) == 3
    assert removed == [first.id, merged.id, again.id]
    assert storage.restored() == (kept,)


def test_nothing_is_removed_in_doubt(storage: Storage, folder: DataFolder) -> None:
    unit, lost = written(folder, 1), written(folder, 2)
    storage.put(unit)
    assert storage.tidy([]) == 0  # there is no manifest
    name_in_manifest(folder, lost)
    assert storage.tidy([lost]) == 0  # the manifest names what is not there
    assert storage.restored() == (unit,)


def test_other_things_in_a_bucket_are_left_alone(storage: Storage, folder: DataFolder, bucket: Path) -> None:
    others = [
        bucket / "some" / "prefix" / "single-tenant" / "0f5a4e30-5c2d-4f3e-9d0e-1f4b1f0d8d11" / "meta.json",
        bucket / "some" / "prefix" / "single-tenant" / ("a" * 32) / "data.parquet",
        bucket / "some" / "prefix" / "work.json",
        bucket / "some" / "meta.json",
    ]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    unit = written(folder, 1)
    storage.put(unit)
    name_in_manifest(folder)
    assert storage.restored() == (unit,)
    assert storage.tidy([]) == 1
    assert all(path.exists() for path in others)


def meta_of(bucket: Path, unit: UnitInfo) -> Path:
    return bucket / "some" / "prefix" / unit.tenant / unit.id / "meta.json"


def another_version(text: bytes) -> bytes:
    return text.replace(b"vivace1", b"vivace9")


def test_a_block_of_another_version_is_not_guessed_at(storage: Storage, folder: DataFolder, bucket: Path) -> None:
    unit = written(folder, 1)
    storage.put(unit)
    meta_of(bucket, unit).write_bytes(another_version(meta_of(bucket, unit).read_bytes()))
    with pytest.raises(TargetError, match=r"'vivace9' is not known .* use the version that wrote it"):
        storage.restored()
    storage.put(written(folder, 12), replaces={unit.id})
    assert len(storage.restored()) == 1  # nobody needs to understand what was replaced


STRANGE: dict[str, Callable[[bytes], bytes]] = {
    "of another version": another_version,
    "empty": lambda _: b"",
    "torn": lambda text: text[:100],
    "not text": lambda text: text.replace(b"single-tenant", b"\xff\xfe"),
    "a list": lambda _: b"[]",
    "of another block": lambda text: re.sub(rb'"blockID": "[0-9a-f]+"', b'"blockID": "' + b"a" * 32 + b'"', text),
    "of another tenant": lambda text: text.replace(b"single-tenant", b"another"),
    "a text for a time": lambda text: re.sub(rb'"start_ns": (\d+)', rb'"start_ns": "\1"', text),
    "a text for a size": lambda text: re.sub(rb'"spans.parquet": (\d+)', rb'"spans.parquet": "\1"', text),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_what_is_not_understood_and_not_needed_stops_no_start(
    folder: DataFolder, bucket: Path, reports: list[str], storage: Storage, kind: str
) -> None:
    strange, garbage, kept = (written(folder, seed) for seed in (1, 2, 3))
    for unit in (strange, garbage, kept):
        storage.put(unit)
    contents = STRANGE[kind](meta_of(bucket, strange).read_bytes())
    meta_of(bucket, strange).write_bytes(contents)
    name_in_manifest(folder, kept)
    assert storage.tidy([kept]) == 1
    assert meta_of(bucket, strange).read_bytes() == contents
    assert (meta_of(bucket, strange).parent / "spans.parquet").exists()
    assert not meta_of(bucket, garbage).exists()
    (report,) = reports
    assert f"{strange.id}/meta.json: " in report
    assert "left as it is" in report


@pytest.mark.parametrize("kind", [kind for kind in STRANGE if kind != "of another version"])
def test_what_is_not_understood_is_left_out_of_what_is_restored(
    folder: DataFolder, bucket: Path, reports: list[str], storage: Storage, kind: str
) -> None:
    strange, kept = written(folder, 1), written(folder, 2)
    for unit in (strange, kept):
        storage.put(unit)
    meta_of(bucket, strange).write_bytes(STRANGE[kind](meta_of(bucket, strange).read_bytes()))
    assert storage.restored() == (kept,)
    (report,) = reports
    assert f"{strange.id}/meta.json: " in report
    assert "left out" in report


def test_a_server_starts_beside_what_it_does_not_understand(folder: DataFolder, bucket: Path, storage: Storage) -> None:
    strange, kept = written(folder, 1), written(folder, 2)
    for unit in (strange, kept):
        storage.put(unit)
    meta_of(bucket, strange).write_bytes(b"{}")
    name_in_manifest(folder, kept)
    manifest, _ = recover(folder, storage)
    assert manifest.units == (kept,)
    assert meta_of(bucket, strange).exists()


def test_what_only_the_data_folder_has_is_put(storage: Storage, folder: DataFolder, bucket: Path) -> None:
    local, lost, short = written(folder, 1), written(folder, 2), written(folder, 3)
    storage.put(short)
    damage(bucket, short)
    for unit in (lost, short):
        forget_copy(folder, unit)
    name_in_manifest(folder, local, lost, short)
    where = f"s3://{bucket.name}/some/prefix"
    assert storage.check([local, lost, short]) == {lost.id: f"missing in {where}", short.id: f"damaged in {where}"}
    while local not in storage.restored():
        sleep(0.02)
    forget_copy(folder, local)
    assert stored_spans(storage.open(local).tables()) == stored_spans(tables(1))


@pytest.mark.parametrize(
    ("name", "content"),
    [("spans.parquet", b"x" * 3000), ("spans.parquet", b""), ("events.parquet", None), ("meta.json", b"{}")],
)
def test_a_block_that_is_not_whole_is_an_error_and_leaves_no_copy(
    storage: Storage, folder: DataFolder, bucket: Path, name: str, content: bytes | None
) -> None:
    unit = written(folder, 1)
    storage.put(unit)
    path = bucket / "some" / "prefix" / unit.tenant / unit.id / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    forget_copy(folder, unit)
    with pytest.raises(NotWhole, match=f"{unit.id}/{name}"):
        storage.fetch(unit)
    with pytest.raises(NotWhole):
        storage.open(unit).names("spans")
    assert not folder.block(unit.id).exists()


def test_another_block_under_the_same_id_is_not_taken_for_it(storage: Storage, folder: DataFolder) -> None:
    unit = written(folder, 1)
    storage.put(unit)
    with pytest.raises(NotWhole, match="is another block than it was"):
        storage.fetch(replace(unit, bytes=unit.bytes + 1))
    assert storage.restored() == (unit,)


def test_what_is_left_of_a_damaged_block_stays(storage: Storage, folder: DataFolder, bucket: Path) -> None:
    unit = written(folder, 1)
    storage.put(unit)
    damage(bucket, unit)
    name_in_manifest(folder)
    assert storage.tidy([]) == 0
    assert (bucket / "some" / "prefix" / unit.tenant / unit.id / "events.parquet").exists()


def damage(bucket: Path, unit: UnitInfo) -> None:
    path = bucket / "some" / "prefix" / unit.tenant / unit.id / "spans.parquet"
    path.write_bytes(path.read_bytes()[:-100])
