from __future__ import annotations

from pathlib import Path

import pytest

from vivace.backend.store.manifest import LogPosition, Manifest, read_manifest, write_manifest
from vivace.backend.store.unit import UnitInfo, UnitKind
from vivace.errors import TargetError


def info(identity: str, kind: UnitKind = UnitKind.SEGMENT) -> UnitInfo:
    return UnitInfo(identity, kind, spans=3, traces=1, start_ns=-5, end_ns=2**62, bytes=99, arrived_ns=2**61)


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    manifest = Manifest().published([info("a")], LogPosition(1, 50)).published([info("b")], LogPosition(2, 8))
    write_manifest(manifest, path)
    assert read_manifest(path) == manifest
    assert read_manifest(tmp_path / "none.json") == Manifest()


def test_units_are_replaced_in_their_place() -> None:
    manifest = Manifest(units=(info("a"), info("b"), info("c"), info("d")))
    replaced = manifest.replaced({"b", "c"}, (info("e", UnitKind.BLOCK),))
    assert [unit.id for unit in replaced.units] == ["a", "e", "d"]


def test_a_manifest_of_a_time_without_tenants_is_read(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    write_manifest(Manifest(units=(info("a"),)), path)
    later = f', "tenant": "single-tenant", "level": 0, "arrived_ns": {2**61}'
    path.write_text(path.read_text().replace(later, ""))
    assert "tenant" not in path.read_text()
    (unit,) = read_manifest(path).units
    assert (unit.tenant, unit.level, unit.arrived_ns, unit.aging_from_ns) == ("single-tenant", 0, 0, unit.end_ns)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not a manifest"),
        ('{"version": 1, "wal": {}, "wal_in_blocks": {}, "units": [\n{"id":', "not a manifest .it ends too early"),
        ('{"version": 1, "wal": {}, "wal_in_blocks": {}, "units": [\n{"id": 1}\n]}\n', "not a manifest .'kind'"),
        ('{"version": 1, "units": [\n\n]}\n', "not a manifest .'wal'"),
        ('{"version": 99}', "version: 99 is not known"),
    ],
)
def test_a_manifest_that_cannot_be_understood_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(TargetError, match=words) as error:
        read_manifest(path)
    assert str(path) in str(error.value)
