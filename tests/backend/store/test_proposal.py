"""Proposals are there complete or not at all."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from vivace.backend.compact.compactor import Compactor
from vivace.backend.compact.figures import CompactorFigures
from vivace.backend.store import folder
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.proposal import UNFINISHED_SECONDS, Proposal, propose, read_proposals, unproposed, withdraw
from vivace.backend.store.storage.local import LocalStorage
from vivace.backend.store.unit import UnitInfo, UnitKind


def unit(identity: str) -> UnitInfo:
    return UnitInfo(identity, UnitKind.BLOCK, 3, 1, -5, 2**62, 99, tenant="a", level=2, arrived_ns=7)


def test_a_proposal_is_read_as_it_was_made_and_then_withdrawn(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    data.create()
    (data.proposals / "new").mkdir()
    (data.proposals / "stray").mkdir()
    for name, age_s in (("half.json.tmp", 0), ("left.json.tmp", 2 * UNFINISHED_SECONDS)):
        (data.proposals / name).touch()
        os.utime(data.proposals / name, (time.time() - age_s,) * 2)
    made = propose(data, Proposal(frozenset({"old", "older"}), (unit("new"),), "compaction"))
    removal = propose(data, Proposal(frozenset({"oldest"}), reason="retention"))
    assert read_proposals(data) == [made, removal]
    assert {path.name for path in unproposed(data)} == {"stray", "left.json.tmp"}
    withdraw(data, made)
    assert read_proposals(data) == [removal]
    assert not made.folder(data, made.add[0]).exists()


def test_a_proposal_of_a_time_without_arrivals_is_read(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    data.create()
    made = propose(data, Proposal(frozenset({"old"}), (unit("new"),), "compaction"))
    path = data.proposals / f"{made.id}.json"
    path.write_text(path.read_text().replace(', "arrived_ns": 7', ""))
    (read,) = read_proposals(data)
    assert read.add == (replace(unit("new"), arrived_ns=0),)


def test_a_proposal_that_is_being_written_is_not_in_the_way_of_a_compactor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = DataFolder(tmp_path)
    data.create()
    sync = folder.sync

    def compactor_starts(path: Path) -> None:
        sync(path)
        Compactor(data, LocalStorage(data), CompactorFigures(), lambda _: None, lambda _: 0.0)

    monkeypatch.setattr(folder, "sync", compactor_starts)
    made = propose(data, Proposal(frozenset({"old"}), reason="damaged"))
    assert read_proposals(data) == [made]
