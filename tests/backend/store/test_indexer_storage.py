"""Blocks are in storage before anybody hears of them; what storage has survives the data folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.backend.store.data import AT_ONCE, Data, until
from tests.backend.store.elsewhere import Elsewhere
from tests.backend.store.proposals import compacted
from tests.backend.store.rebuild import sent_spans

from vivace.backend.store import holdings, takeover
from vivace.backend.store.indexer import Indexer
from vivace.backend.store.proposal import DAMAGED, Proposal, propose, read_proposals
from vivace.backend.store.unit import UnitInfo, UnitKind
from vivace.errors import TargetError


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Data]:
    monkeypatch.setattr(takeover, "PERIOD_SECONDS", 0)
    monkeypatch.setattr(holdings, "LINGER_SECONDS", 0)
    monkeypatch.setattr(holdings, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(takeover, "RETRY_SECONDS", 0.1)
    one = Data(tmp_path / "data")
    yield one
    one.writer.close()


@pytest.fixture
def storage(data: Data, tmp_path: Path) -> Elsewhere:
    return Elsewhere(data.folder, tmp_path / "elsewhere")


def cut(data: Data, indexer: Indexer) -> UnitInfo:
    """A request, and the block that it becomes."""
    data.arrive()
    until(lambda: not indexer.step() and data.kinds()[UnitKind.SEGMENT] == 0)
    return data.units()[-1]


def test_what_the_manifest_names_is_in_storage(data: Data, storage: Elsewhere) -> None:
    indexer = data.indexer(AT_ONCE, storage)
    first, second, third = (cut(data, indexer) for _ in range(3))
    assert storage.names() == {first.id, second.id, third.id}
    propose(data.folder, compacted(data.folder, (first, second)))
    until(lambda: not indexer.step() and storage.names() == {"compacted", third.id})
    indexer.close()
    assert data.visible() == sent_spans(data.sent)
    assert data.reports == []


def test_blocks_are_cut_again_when_storage_can_be_reached_again(data: Data, storage: Elsewhere) -> None:
    indexer = data.indexer(AT_ONCE, storage)
    storage.reachable = False
    data.arrive()
    until(lambda: not indexer.step() and bool(data.reports))
    data.arrive()
    indexer.step()
    assert data.kinds() == {UnitKind.SEGMENT: 2}
    assert data.visible() == sent_spans(data.sent)
    storage.reachable = True
    until(lambda: not indexer.step() and data.kinds() == {UnitKind.BLOCK: 1})
    until(lambda: not indexer.step() and len(list(data.folder.blocks.iterdir())) == 1)
    indexer.close()
    assert storage.names() == {data.units()[0].id}
    assert "the log keeps everything" in data.reports[0]


def test_a_proposal_waits_until_storage_can_be_reached(data: Data, storage: Elsewhere) -> None:
    indexer = data.indexer(AT_ONCE, storage)
    blocks = [cut(data, indexer) for _ in range(2)]
    storage.reachable = False
    proposal = propose(data.folder, compacted(data.folder, blocks))
    until(lambda: not indexer.step() and bool(data.reports))
    assert data.units() == tuple(blocks)
    assert read_proposals(data.folder) == [proposal]
    storage.reachable = True
    until(lambda: not indexer.step() and storage.names() == {"compacted"})
    indexer.close()
    assert data.visible() == sent_spans(data.sent)


def test_what_was_put_and_never_shown_goes_at_the_next_start(data: Data, storage: Elsewhere) -> None:
    indexer = data.indexer(AT_ONCE, storage)
    block = cut(data, indexer)
    indexer.close()
    proposal = compacted(data.folder, [block])
    storage.put(proposal.add[0], proposal.folder(data.folder, proposal.add[0]), proposal.remove)
    data.indexer(AT_ONCE, storage).close()
    assert storage.names() == {block.id}


def test_a_new_folder_begins_with_what_storage_has(data: Data, storage: Elsewhere) -> None:
    indexer = data.indexer(AT_ONCE, storage)
    blocks = [cut(data, indexer) for _ in range(2)]
    indexer.close()
    shutil.rmtree(data.folder.root)
    data.folder.create()
    data.indexer(AT_ONCE, storage).close()
    assert {unit.id for unit in data.units()} == {unit.id for unit in blocks}
    for unit in blocks:
        storage.fetch(unit)
    assert data.visible() == sent_spans(data.sent)
    (report,) = data.reports
    assert "made again of 2 blocks" in report


def test_a_damaged_copy_is_fetched_again(data: Data, storage: Elsewhere) -> None:
    indexer = data.indexer(AT_ONCE, storage)
    block = cut(data, indexer)
    path = data.folder.block(block.id) / "spans.parquet"
    path.write_bytes(bytes(path.stat().st_size))
    propose(data.folder, Proposal(frozenset({block.id}), reason=DAMAGED))
    until(lambda: not indexer.step() and not read_proposals(data.folder))
    indexer.close()
    assert data.units() == (block,)
    assert data.visible() == sent_spans(data.sent)
    (report,) = data.reports
    assert "fetched again" in report


def test_a_start_out_of_reach_of_storage_says_so(data: Data, storage: Elsewhere) -> None:
    indexer = data.indexer(AT_ONCE, storage)
    cut(data, indexer)
    indexer.close()
    storage.reachable = False
    data.indexer(AT_ONCE, storage).close()
    assert data.visible() == sent_spans(data.sent)
    assert [report for report in data.reports if "nobody knows whether all blocks are there" in report]


def test_a_new_folder_out_of_reach_of_storage_is_refused(data: Data, storage: Elsewhere) -> None:
    storage.reachable = False
    with pytest.raises(TargetError, match="not there, and not made again of what is in storage: "):
        data.indexer(AT_ONCE, storage)
    assert not data.folder.manifest.exists()
