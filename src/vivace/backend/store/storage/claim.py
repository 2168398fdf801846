"""Whether a data folder and a prefix of a bucket belong together, said at a start: yes, from now on, or no and why."""

from __future__ import annotations

from collections.abc import Collection

from vivace.backend.store.folder import DataFolder
from vivace.backend.store.manifest import read_manifest
from vivace.backend.store.storage.bucket import Bucket
from vivace.backend.store.storage.home import read_home
from vivace.backend.store.storage.listing import Listed, blocks_of
from vivace.backend.store.storage.local import is_whole
from vivace.backend.store.storage.owner import Owner, Standing
from vivace.backend.store.unit import UnitKind
from vivace.errors import ConfigurationError


def claim(folder: DataFolder, bucket: Bucket, adopt: bool) -> None:
    """Makes the prefix the data folder's, or finds that it is. ConfigurationError when it cannot be.

    What others put there is taken over only when `adopt` says so, and only by a data folder without a manifest, of
    whose own data nothing can be shown twice or be lost.
    """
    owner = Owner(folder, bucket)
    standing = owner.standing()
    if standing is Standing.OURS:
        owner.settle()
        return
    blocks = [block for block in blocks_of(bucket.sizes()) if block.complete]
    if folder.manifest.exists():
        _refuse_to_mix(folder, bucket, standing, blocks)
        owner.take()
    elif standing is Standing.NOBODYS and not blocks:
        owner.take()
    elif adopt:
        owner.take_over()
    else:
        raise ConfigurationError(
            f"--storage {bucket.where}: another data folder than {folder.root} keeps {len(blocks)} blocks there;"
            " stop the server that uses it and give --storage-adopt to go on with them, or give another prefix"
        )


def _refuse_to_mix(folder: DataFolder, bucket: Bucket, standing: Standing, blocks: Collection[Listed]) -> None:
    units = {unit.id: unit for unit in read_manifest(folder.manifest).units if unit.kind is UnitKind.BLOCK}
    if standing is Standing.ANOTHERS or any(block.block not in units for block in blocks):
        raise ConfigurationError(
            f"--storage {bucket.where}: another data folder than {folder.root} keeps its blocks there, and this one has"
            " data of its own; give another prefix, or an empty data folder and --storage-adopt"
        )
    there = {block.block for block in blocks if block.holds(units[block.block])}
    gone = [unit for unit in units.values() if unit.id not in there and not is_whole(folder.block(unit.id), unit)]
    if gone:
        home = read_home(folder)
        where = "elsewhere" if home is None else f"in {home.where}"
        raise ConfigurationError(
            f"--storage {bucket.where}: {len(gone)} blocks of {folder.root} are neither there nor in the data folder,"
            f" but {where}; give that address, or copy what is there first"
        )
