"""The data folder: where its parts lie, and writing them so that a file is there complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path


class DataFolder:
    """Paths inside a data folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log = root / "wal"
        self.segments = root / "segments"
        self.blocks = root / "blocks"
        self.proposals = root / "proposals"
        self.metrics = root / "metrics"
        self.damaged = root / "damaged"
        self.manifest = root / "manifest.json"
        self.addresses = root / "addresses.json"
        self.lock = root / "lock"

    def process_lock(self, process: str) -> Path:
        """What a process holds while it may write here."""
        return self.root / f"lock-{process}"

    def create(self) -> None:
        """Makes the folders that are not there yet."""
        for folder in (self.root, self.log, self.segments, self.blocks, self.proposals, self.metrics):
            folder.mkdir(parents=True, exist_ok=True)

    def segment(self, identity: str) -> Path:
        """The file of a segment."""
        return self.segments / f"{identity}.arrow"

    def block(self, identity: str) -> Path:
        """The folder of a block."""
        return self.blocks / identity


@contextmanager
def complete(path: Path, *, synced: bool = True) -> Iterator[Path]:
    """A path to write a file to; it is at its place once the context ends without an error, and on disk when synced."""
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        yield temporary
        if synced:
            sync(temporary)
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Waits until a file's contents, or a folder's entries, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@lru_cache(maxsize=1)
def boot() -> str:
    """Which start of the machine this is: another one may not find what was not synced. Empty when nobody knows."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
