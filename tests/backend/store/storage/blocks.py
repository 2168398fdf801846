"""Blocks for tests of where they are kept."""

from __future__ import annotations

import shutil
import uuid
from dataclasses import replace
from pathlib import Path

from tests.backend.store.sample import request

from vivace.backend.store.block import write_block
from vivace.backend.store.decode import decode
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.manifest import Manifest, write_manifest
from vivace.backend.store.tables import Tables
from vivace.backend.store.unit import UnitInfo, UnitKind, unit_info


def data_folder(root: Path) -> DataFolder:
    folder = DataFolder(root)
    folder.create()
    return folder


def tables(seed: int) -> Tables:
    return decode([request(seed)])


def written(folder: DataFolder, seed: int, tenant: str = "single-tenant", level: int = 0) -> UnitInfo:
    """A new block at its place in the data folder; another seed gives other spans."""
    identity = uuid.uuid4().hex
    size = write_block(tables(seed), folder.block(identity))
    return replace(unit_info(identity, UnitKind.BLOCK, tables(seed), size), tenant=tenant, level=level)


def name_in_manifest(folder: DataFolder, *units: UnitInfo) -> None:
    write_manifest(Manifest(units=units), folder.manifest)


def forget_copy(folder: DataFolder, unit: UnitInfo) -> None:
    shutil.rmtree(folder.block(unit.id))
