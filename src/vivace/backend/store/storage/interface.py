"""What the indexer, the compactor and the querier ask of wherever blocks are kept."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

from vivace.backend.store.block import BlockSource
from vivace.backend.store.unit import UnitInfo


class Storage(Protocol):
    """Keeps blocks. Safe for use by several threads, and by several processes of one server.

    Only one process at a time may put, remove, check and tidy one and the same block.
    """

    def claim(self) -> None:
        """Makes sure that this data folder and this storage belong together, before anything else is done at a start.

        ConfigurationError when they do not, TargetError when the storage cannot be used.
        """

    def put(self, unit: UnitInfo, folder: Path | None = None, replaces: Collection[str] = ()) -> None:
        """Makes a block durable that lies complete in a folder, by default at its place in the data folder.

        `replaces` are the blocks it was made of. To put a block again that is there already does no harm. OSError when
        it cannot be; then it may be tried again. TargetError when the storage no longer belongs to this data folder.
        """

    def open(self, unit: UnitInfo) -> BlockSource:
        """A block to read; it is fetched when it is read first, and again when its local copy went meanwhile."""

    def fetch(self, unit: UnitInfo) -> Path:
        """The local folder of a block, complete; another process may remove it when it is not used for a while.

        FileNotFoundError when the storage has no such block, or not the whole of it; another OSError, with an errno,
        when it cannot be reached.
        """

    def remove(self, unit: UnitInfo) -> None:
        """Removes a block from the storage and locally; nothing when it is gone already. Errors as for `put`.

        What replaces others is to be removed after them, so that they never count again.
        """

    def check(self, blocks: Collection[UnitInfo]) -> Mapping[str, str]:
        """The blocks of a manifest, by ID, that are not there whole, and what is wrong. OSError when nobody knows."""

    def restored(self) -> tuple[UnitInfo, ...]:
        """The blocks to begin with when there is no manifest, oldest first; none that another of them replaces."""

    def tidy(self, blocks: Collection[UnitInfo]) -> int:
        """Removes all blocks from the storage but those of the manifest; returns how many. Errors as for `put`.

        To be called when nobody else puts blocks, with what a manifest on disk says; never without a manifest.
        """
