"""What a start does about an unclean end: garbage is removed, damage is set aside and reported."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from vivace.backend.store.folder import DataFolder
from vivace.backend.store.manifest import Manifest, read_manifest, write_manifest
from vivace.backend.store.segment import read_segment
from vivace.backend.store.unit import UnitInfo, UnitKind


def recover(folder: DataFolder) -> tuple[Manifest, list[str]]:
    """The manifest to go on with, in place, and what there is to report.

    A damaged segment costs nothing: the log still has what is in it, so all segments are made again. What a damaged
    block held is lost; it is kept in a folder of its own.
    """
    reports: list[str] = []
    before = read_manifest(folder.manifest)
    manifest = before
    for unit in [unit for unit in manifest.units if unit.kind is UnitKind.BLOCK and _block_is_damaged(folder, unit)]:
        reports.append(
            f"{folder.block(unit.id)}: damaged; {unit.spans} spans are lost, what is left of it is in"
            f" {_set_aside(folder, folder.block(unit.id))}"
        )
        manifest = manifest.replaced({unit.id}, ())
    segments = [unit for unit in manifest.units if unit.kind is UnitKind.SEGMENT]
    for unit in [unit for unit in segments if _segment_is_damaged(folder, unit)]:
        reports.append(
            f"{folder.segment(unit.id)}: damaged; it is made again from the log, and what is left of it is in"
            f" {_set_aside(folder, folder.segment(unit.id))}"
        )
        manifest = manifest.without_segments()
    if manifest != before:
        write_manifest(manifest, folder.manifest)
    for path in list(_garbage(folder, manifest)):
        _remove(path)
    return manifest, reports


def _segment_is_damaged(folder: DataFolder, unit: UnitInfo) -> bool:
    path = folder.segment(unit.id)
    try:
        if path.stat().st_size != unit.bytes:
            return True
        for batch in read_segment(path).values():
            batch.validate(full=True)
    except (OSError, ValueError):  # pyarrow.ArrowInvalid is a ValueError
        return True
    return False


def _block_is_damaged(folder: DataFolder, unit: UnitInfo) -> bool:
    try:
        return sum(path.stat().st_size for path in folder.block(unit.id).iterdir()) != unit.bytes
    except OSError:
        return True


def _set_aside(folder: DataFolder, path: Path) -> Path:
    folder.damaged.mkdir(exist_ok=True)
    place = folder.damaged / path.name
    if path.exists():
        _remove(place)
        path.rename(place)
    return place


def _garbage(folder: DataFolder, manifest: Manifest) -> Iterator[Path]:
    """Units that the manifest does not name, and files that were not finished."""
    known = {folder.segment(unit.id) for unit in manifest.units} | {folder.block(unit.id) for unit in manifest.units}
    for path in (*folder.segments.iterdir(), *folder.blocks.iterdir()):
        if path not in known:
            yield path
    yield from folder.root.glob("*.tmp")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
