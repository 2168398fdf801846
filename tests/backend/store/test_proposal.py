"""Proposals are there complete or not at all."""

from __future__ import annotations

from pathlib import Path

from vivace.backend.store.folder import DataFolder
from vivace.backend.store.proposal import Proposal, propose, read_proposals, unproposed, withdraw
from vivace.backend.store.unit import UnitInfo, UnitKind


def unit(identity: str) -> UnitInfo:
    return UnitInfo(identity, UnitKind.BLOCK, 3, 1, -5, 2**62, 99, tenant="a", level=2)


def test_a_proposal_is_read_as_it_was_made_and_then_withdrawn(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    data.create()
    (data.proposals / "new").mkdir()
    (data.proposals / "stray").mkdir()
    (data.proposals / "half.json.tmp").touch()
    made = propose(data, Proposal(frozenset({"old", "older"}), (unit("new"),), "compaction"))
    removal = propose(data, Proposal(frozenset({"oldest"}), reason="retention"))
    assert read_proposals(data) == [made, removal]
    assert {path.name for path in unproposed(data)} == {"stray", "half.json.tmp"}
    withdraw(data, made)
    assert read_proposals(data) == [removal]
    assert not made.folder(data, made.add[0]).exists()
