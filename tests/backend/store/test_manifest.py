from __future__ import annotations

from pathlib import Path

import pytest

from vivace.backend.store.manifest import LogPosition, Manifest, read_manifest, write_manifest
from vivace.backend.store.unit import UnitInfo, UnitKind
from vivace.errors import TargetError


def info(identity: str, kind: UnitKind = UnitKind.SEGMENT) -> UnitInfo:
    return UnitInfo(identity, kind, spans=3, traces=1, start_ns=-5, end_ns=2**62, bytes=99)


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


@pytest.mark.parametrize(("text", "words"), [("{", "not a manifest"), ('{"version": 99}', "version: 99 is not known")])
def test_a_manifest_that_cannot_be_understood_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(TargetError, match=words) as error:
        read_manifest(path)
    assert str(path) in str(error.value)
