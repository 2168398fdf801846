"""Proposals over a data folder, and an indexer that takes them."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from tests.backend.store.data import Data, until

from vivace.backend.store.block import BlockSource, write_block
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.merge import merge
from vivace.backend.store.proposal import Proposal, read_proposals
from vivace.backend.store.unit import UnitInfo, UnitKind, unit_info


def compacted(folder: DataFolder, units: Sequence[UnitInfo], identity: str = "compacted") -> Proposal:
    """A proposal to make blocks one, with that block beside it."""
    tables = merge([BlockSource(folder.block(unit.id)).tables() for unit in units])
    size = write_block(tables, folder.proposals / identity)
    made = unit_info(identity, UnitKind.BLOCK, tables, size, tenant=units[0].tenant, level=1)
    return Proposal(frozenset(unit.id for unit in units), (made,), "compaction")


def settled(data: Data) -> None:
    """Until an indexer has nothing left to do about proposals."""
    indexer = data.indexer()
    until(lambda: not indexer.step() and not read_proposals(data.folder))
    indexer.close()


def counted(data: Data, reason: str, outcome: str) -> float | None:
    return data.figures.registry.get_sample_value("vivace_proposals_total", {"reason": reason, "outcome": outcome})


def no_room(*_: object) -> None:
    """What any write is on a full disk."""
    raise OSError(errno.ENOSPC, "No space left on device")
