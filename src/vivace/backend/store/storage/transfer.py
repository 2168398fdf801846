"""Moves the files of a block between a folder and a bucket, several requests at a time, and looks at what came out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from vivace.backend.store.storage.bucket import PART_BYTES, Bucket
from vivace.backend.store.storage.failure import NotWhole, StorageFailure
from vivace.backend.store.storage.listing import key
from vivace.backend.store.storage.meta import BlockMeta

PARALLEL: Final = 8

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parallel(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """The results in order; after the first error nothing new is begun."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        try:
            return [future.result() for future in [pool.submit(function, item) for item in items]]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def upload(bucket: Bucket, place: Path, meta: BlockMeta) -> None:
    """Puts the files of a block, not its meta. OSError when the bucket has not got all of each."""
    unit = meta.unit
    in_parallel(lambda name: bucket.put_file(key(unit.tenant, unit.id, name), place / name), meta.files)
    there = bucket.sizes(key(unit.tenant, unit.id))
    for name, size in meta.files.items():
        if (arrived := there.get(key(unit.tenant, unit.id, name))) != size:
            raise OSError(f"{bucket.where}: of {key(unit.tenant, unit.id, name)} {arrived} of {size} bytes arrived")


def download(bucket: Bucket, meta: BlockMeta, place: Path) -> None:
    """Writes the files of a block to a folder, synced. NotWhole when one is missing, or not as long as it was."""
    parts = [
        (name, start, min(start + PART_BYTES, size))
        for name, size in meta.files.items()
        for start in range(0, size, PART_BYTES)
    ]
    in_parallel(lambda part: _receive(bucket, meta, place, part), parts)
    for name in meta.files:
        with (place / name).open("ab") as file:
            os.fsync(file.fileno())


def _receive(bucket: Bucket, meta: BlockMeta, place: Path, part: tuple[str, int, int]) -> None:
    name, start, end = part
    source = key(meta.unit.tenant, meta.unit.id, name)
    try:
        content = bucket.get_part(source, start, end)
    except StorageFailure as error:
        if error.status in {"404", "416"}:
            raise NotWhole(f"{bucket.where}: {source} is missing, or shorter than it was") from error
        raise
    if len(content) != end - start:
        raise NotWhole(f"{bucket.where}: {source} is shorter than it was")
    descriptor = os.open(place / name, os.O_CREAT | os.O_WRONLY, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.seek(start)
        file.write(content)
