"""What is proposed is done once, whole, and whatever happens on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.backend.store.data import Data, until
from tests.backend.store.proposals import compacted, counted, no_room, settled
from tests.backend.store.rebuild import sent_spans

from vivace.backend.store import apart, holdings, takeover
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.indexer import Indexer
from vivace.backend.store.manifest import Manifest, read_manifest, write_manifest
from vivace.backend.store.proposal import DAMAGED, Proposal, propose, read_proposals
from vivace.backend.store.storage.failure import StorageFailure
from vivace.backend.store.storage.local import LocalStorage
from vivace.backend.store.unit import UnitInfo, UnitKind


def test_blocks_are_replaced_in_their_place_and_removed_later(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdings, "LINGER_SECONDS", 0.3)
    first, second, third = data.blocks(3)
    proposal = compacted(data.folder, (first, second))
    indexer = data.indexer()
    propose(data.folder, proposal)
    until(lambda: not indexer.step() and len(data.units()) == 2)
    assert data.units() == (*proposal.add, third)
    assert data.visible() == sent_spans(data.sent)
    assert data.folder.block(first.id).exists()
    until(lambda: not indexer.step() and len(list(data.folder.blocks.iterdir())) == 2)
    indexer.close()
    assert list(data.folder.proposals.iterdir()) == []
    assert data.visible() == sent_spans(data.sent)
    assert counted(data, "compaction", "taken") == 1
    assert data.reports == []


def test_blocks_are_removed_for_good(data: Data) -> None:
    first, second = data.blocks(2)
    propose(data.folder, Proposal(frozenset({first.id}), reason="retention"))
    settled(data)
    assert data.units() == (second,)
    assert data.visible() == sent_spans(data.sent[1:])


def test_who_replaces_first_does(data: Data) -> None:
    first, second, third = data.blocks(3)
    propose(data.folder, compacted(data.folder, (first, second), "one"))
    propose(data.folder, compacted(data.folder, (second, third), "other"))
    settled(data)
    assert {unit.id for unit in data.units()} == {"one", third.id}
    data.indexer().close()
    assert {path.name for path in data.folder.blocks.iterdir()} == {"one", third.id}
    assert data.visible() == sent_spans(data.sent)
    assert (counted(data, "compaction", "taken"), counted(data, "compaction", "refused")) == (1, 1)
    assert data.reports == []


def moved(folder: DataFolder, proposal: Proposal) -> None:
    for unit in proposal.add:
        proposal.folder(folder, unit).rename(folder.block(unit.id))


def shown(folder: DataFolder, proposal: Proposal) -> None:
    moved(folder, proposal)
    write_manifest(read_manifest(folder.manifest).replaced(proposal.remove, proposal.add), folder.manifest)


@pytest.mark.parametrize("broken_off", [lambda *_: None, moved, shown])
def test_a_crash_on_the_way_loses_and_doubles_nothing(
    data: Data, broken_off: Callable[[DataFolder, Proposal], None]
) -> None:
    blocks = data.blocks(3)
    proposal = propose(data.folder, compacted(data.folder, blocks[:2]))
    broken_off(data.folder, proposal)
    settled(data)
    assert data.units() == (*proposal.add, blocks[2])
    assert data.visible() == sent_spans(data.sent)
    data.indexer().close()
    assert {path.name for path in data.folder.blocks.iterdir()} == {"compacted", blocks[2].id}
    assert list(data.folder.proposals.iterdir()) == []
    assert data.reports == []


def test_a_removal_that_was_done_before_a_crash_is_not_missed(data: Data) -> None:
    first, second = data.blocks(2)
    proposal = propose(data.folder, Proposal(frozenset({first.id}), reason="retention"))
    shown(data.folder, proposal)
    settled(data)
    assert data.units() == (second,)
    assert data.reports == []


def test_what_cannot_be_is_refused_and_reported(data: Data) -> None:
    (mine,) = data.blocks(1, "a")
    (yours,) = data.blocks(1, "b")
    data.arrive(1, "a")
    indexer = data.indexer()
    indexer.step()
    indexer.close()
    (segment,) = (unit for unit in data.units() if unit.kind is UnitKind.SEGMENT)
    before = data.units()
    half, given = compacted(data.folder, [mine], "half"), compacted(data.folder, [mine], "given")
    (data.folder.proposals / "half" / "spans.parquet").write_bytes(b"short")
    propose(data.folder, half)
    propose(data.folder, replace(given, remove=frozenset({yours.id})))
    propose(data.folder, Proposal(frozenset({segment.id}), reason="retention"))
    (data.folder.proposals / "0.json").write_text('{"remove": 1}')
    settled(data)
    assert data.units() == before
    assert list(data.folder.proposals.iterdir()) == []
    assert data.visible() == sent_spans(data.sent)
    words = ("not there whole", "gives a tenant's spans to another", "more than blocks", "not a proposal")
    assert sorted(word for word in words for report in data.reports if word in report) == sorted(words)


@pytest.mark.parametrize(
    ("bound", "value", "changes"),
    [("AT_ONCE", 2, 2), ("AT_ONCE_BYTES", 1, 3), ("AT_ONCE_SECONDS", 0, 3), ("AT_ONCE_SECONDS", 60, 1)],
)
def test_small_proposals_are_taken_together(
    data: Data, monkeypatch: pytest.MonkeyPatch, bound: str, value: int, changes: int
) -> None:
    monkeypatch.setattr(takeover, bound, value)
    written: list[Manifest] = []

    def counting(manifest: Manifest, path: Path) -> None:
        written.append(manifest)
        write_manifest(manifest, path)

    blocks = data.blocks(6)
    indexer = data.indexer()
    monkeypatch.setattr(holdings, "write_manifest", counting)
    proposals = [compacted(data.folder, blocks[place : place + 2], f"new {place}") for place in (0, 2, 4)]
    for proposal in proposals:
        propose(data.folder, proposal)
    until(lambda: not indexer.step() and not read_proposals(data.folder))
    indexer.close()
    assert len(written) == changes
    assert data.units() == tuple(unit for proposal in proposals for unit in proposal.add)
    assert data.visible() == sent_spans(data.sent)
    assert counted(data, "compaction", "taken") == 3


def test_what_cannot_be_put_holds_up_what_came_later_alone(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    def put(unit: UnitInfo, *_: object) -> None:
        if unit.id == "new 2":
            raise OSError("storage is full")

    storage = LocalStorage(data.folder)
    monkeypatch.setattr(storage, "put", put)
    blocks = data.blocks(6)
    proposals = [compacted(data.folder, blocks[place : place + 2], f"new {place}") for place in (0, 2, 4)]
    for proposal in proposals:
        propose(data.folder, proposal)
    indexer = data.indexer(storage=storage)
    until(lambda: not indexer.step() and bool(data.reports))
    indexer.close()
    assert data.units() == (*proposals[0].add, *blocks[2:])
    (report,) = data.reports
    assert "is not done yet: storage is full" in report
    settled(data)
    assert data.units() == tuple(unit for proposal in proposals for unit in proposal.add)
    assert data.visible() == sent_spans(data.sent)


class Refusing(LocalStorage):
    """Answers that some blocks may not be had."""

    def __init__(self, folder: DataFolder, *refused: UnitInfo, status: str = "403") -> None:
        super().__init__(folder)
        self.refused = {unit.id for unit in refused}
        self.asked: list[str] = []
        self._status = status

    def fetch(self, unit: UnitInfo) -> Path:
        self.asked.append(unit.id)
        if unit.id in self.refused:
            raise StorageFailure("s3://bucket/block", "refused", "look at what you may do", self._status)
        return super().fetch(unit)


def stepped_until(indexer: Indexer, seen: Sequence[str], count: int) -> None:
    until(lambda: not indexer.step() and len(seen) >= count)


def test_what_storage_refuses_holds_up_nothing(data: Data) -> None:
    first, second, third, fourth = data.blocks(4)
    indexer = data.indexer(storage=Refusing(data.folder, first))
    waiting = propose(data.folder, Proposal(frozenset({first.id}), reason=DAMAGED))
    proposal = propose(data.folder, compacted(data.folder, (second, third)))
    propose(data.folder, Proposal(frozenset({fourth.id}), reason="retention"))
    until(lambda: not indexer.step() and data.units() == (first, *proposal.add))
    indexer.close()
    assert read_proposals(data.folder) == [waiting]
    (report,) = data.reports
    assert report.endswith("refused; look at what you may do; it is tried again in 30s")
    settled(data)
    assert data.units() == (first, *proposal.add)


def test_what_storage_refuses_is_tried_again_ever_later(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(takeover, "monotonic", lambda: now)
    first, _ = data.blocks(2)
    storage = Refusing(data.folder, first)
    indexer = data.indexer(storage=storage)
    propose(data.folder, Proposal(frozenset({first.id}), reason=DAMAGED))
    for times, (pause, shown) in enumerate(((30, "30s"), (60, "1m"), (120, "2m")), 1):
        stepped_until(indexer, data.reports, times)
        assert data.reports[-1].endswith(f"; it is tried again in {shown}")
        now += pause - 1
        for _ in range(20):
            indexer.step()
        assert len(storage.asked) == times
        now += 2
    storage.refused.clear()
    until(lambda: not indexer.step() and not read_proposals(data.folder))
    indexer.close()
    assert len(data.reports) == 3


@pytest.mark.parametrize(("status", "tried"), [("error", 1), ("503", 2)])
def test_storage_that_does_nothing_is_reported_until_it_works_again(
    data: Data, monkeypatch: pytest.MonkeyPatch, status: str, tried: int
) -> None:
    now = 0.0
    monkeypatch.setattr(takeover, "monotonic", lambda: now)
    blocks = data.blocks(3)
    storage = Refusing(data.folder, *blocks, status=status)
    indexer = data.indexer(storage=storage)
    for unit in blocks:
        propose(data.folder, Proposal(frozenset({unit.id}), reason=DAMAGED))
    until(lambda: not indexer.step() and "everything proposed waits" in "".join(data.reports))
    for _ in range(20):
        indexer.step()
    assert len(storage.asked) == tried
    for _ in range(2):
        now += 31
        stepped_until(indexer, storage.asked, len(storage.asked) + 1)
    assert len(data.reports) == tried
    storage.refused.clear()
    now += 1000
    until(lambda: not indexer.step() and not read_proposals(data.folder))
    indexer.close()
    assert data.reports[tried:] == ["what is proposed is done again"]


def test_what_fails_as_nobody_thought_holds_up_nothing(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = data.blocks(3)

    def fail(*_arguments: object) -> None:
        raise RuntimeError("of all things")

    monkeypatch.setattr(takeover, "examine", fail)
    monkeypatch.setattr(apart, "LONGEST_SECONDS", 1.0)
    propose(data.folder, Proposal(frozenset({first.id}), reason=DAMAGED))
    propose(data.folder, Proposal(frozenset({second.id}), reason="retention"))
    indexer = data.indexer()
    until(lambda: not indexer.step() and data.units() == (first, third))
    assert data.reports == ["what the reason 'damaged' was given for is not done yet: RuntimeError: of all things"]
    monkeypatch.undo()
    until(lambda: not indexer.step() and not read_proposals(data.folder))
    indexer.close()
    assert data.units() == (first, third)


def test_a_manifest_that_cannot_be_written_leaves_the_proposal(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = data.blocks(2)
    proposal = compacted(data.folder, blocks)
    one = data.indexer()
    propose(data.folder, proposal)

    with monkeypatch.context() as patched:
        patched.setattr(holdings, "write_manifest", no_room)
        with pytest.raises(OSError, match="No space"):
            until(lambda: one.step() and False)
    assert data.units() == tuple(blocks)
    until(lambda: not one.step() and data.units() == proposal.add)
    one.close()
    assert data.visible() == sent_spans(data.sent)
