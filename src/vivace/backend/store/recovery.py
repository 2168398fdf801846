"""What a start does about an unclean end: garbage is removed, damage is set aside and reported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vivace.backend.store.examination import remove_path, set_aside, take_back
from vivace.backend.store.folder import DataFolder, boot, sync
from vivace.backend.store.manifest import Manifest, read_manifest, write_manifest
from vivace.backend.store.proposal import DAMAGED, Proposal, propose, read_proposals
from vivace.backend.store.segment import read_segment
from vivace.backend.store.storage.interface import Storage
from vivace.backend.store.unit import UnitInfo, UnitKind
from vivace.errors import TargetError


def recover(folder: DataFolder, storage: Storage) -> tuple[Manifest, list[str]]:
    """The manifest to go on with, in place, and what there is to report. Errors as of Storage.claim.

    A damaged segment costs nothing: the log still has what is in it, so all segments are made again; so are they when
    the machine was started since, because they are not synced. Damaged blocks are proposed for examination. Without a
    manifest the blocks in storage make a new one; TargetError when the data folder has others, which nothing then
    tells from garbage. What waits to be taken from proposals stays.
    """
    storage.claim()
    reports: list[str] = []
    if not folder.manifest.exists():
        _restore(folder, storage, reports)
    before = read_manifest(folder.manifest)
    manifest = _without_missing_blocks(folder, storage, before, reports)
    manifest = _without_damaged_segments(folder, manifest, reports)
    if manifest != before:
        write_manifest(manifest, folder.manifest)
        sync(folder.root)
    for path in list(_garbage(folder, manifest)):
        remove_path(path)
    _tidy(folder, storage, manifest, reports)
    return manifest, reports


def _restore(folder: DataFolder, storage: Storage, reports: list[str]) -> None:
    try:
        units = storage.restored()
    except OSError as error:
        raise TargetError(f"{folder.manifest}: not there, and not made again of what is in storage: {error}") from error
    unnamed = {path for path in folder.blocks.iterdir() if path.suffix != ".tmp"} - {
        folder.block(unit.id) for unit in units
    }
    if unnamed:
        raise TargetError(
            f"{folder.manifest}: not there, though {folder.blocks} holds {len(unnamed)} blocks; restore it,"
            " or move them elsewhere to go on without them"
        )
    if units:
        write_manifest(Manifest(units=units), folder.manifest)
        reports.append(f"{folder.manifest}: was not there, and is made again of {len(units)} blocks found in storage")


def _without_missing_blocks(folder: DataFolder, storage: Storage, manifest: Manifest, reports: list[str]) -> Manifest:
    """What there is of a damaged block is left for an examination, which takes its time."""
    blocks = {unit.id: unit for unit in manifest.units if unit.kind is UnitKind.BLOCK}
    try:
        faults = storage.check(blocks.values())
    except OSError as error:
        reports.append(f"nobody knows whether all blocks are there: {error}")
        return manifest
    for identity in faults:
        take_back(folder, folder.block(identity))  # an examination was broken off
    missing = {identity for identity in faults if not folder.block(identity).exists()}
    for identity in missing:
        unit = blocks[identity]
        reports.append(
            f"{folder.block(identity)}: {faults[identity]}, not there; {unit.spans} spans of {unit.tenant} are lost"
        )
    for identity in faults.keys() - missing:
        propose(folder, Proposal(frozenset({identity}), reason=DAMAGED))
    return manifest.replaced(missing, ())


def _without_damaged_segments(folder: DataFolder, manifest: Manifest, reports: list[str]) -> Manifest:
    if manifest.boot != boot():
        return manifest.without_segments()
    segments = [unit for unit in manifest.units if unit.kind is UnitKind.SEGMENT]
    damaged = [unit for unit in segments if _segment_is_damaged(folder, unit)]
    for unit in damaged:
        path = folder.segment(unit.id)
        reports.append(
            f"{path}: damaged; it is made again from the log, and what is left of it is in {set_aside(folder, path)}"
        )
    return manifest.without_segments() if damaged else manifest


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


def _garbage(folder: DataFolder, manifest: Manifest) -> Iterator[Path]:
    """Units that neither the manifest nor a proposal names, and files that were not finished."""
    units = (*manifest.units, *(unit for proposal in read_proposals(folder) for unit in proposal.add))
    known = {folder.segment(unit.id) for unit in units} | {folder.block(unit.id) for unit in units}
    for path in (*folder.segments.iterdir(), *folder.blocks.iterdir()):
        if path not in known:
            yield path
    yield from folder.root.glob("*.tmp")


def _tidy(folder: DataFolder, storage: Storage, manifest: Manifest, reports: list[str]) -> None:
    """Removes from storage what nobody names, once there is a manifest to go by."""
    if not folder.manifest.exists():
        return
    try:
        storage.tidy([unit for unit in manifest.units if unit.kind is UnitKind.BLOCK])
    except OSError as error:
        reports.append(f"what is not needed could not be removed from storage: {error}")
