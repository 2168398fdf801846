"""What seems damaged is looked at, kept aside, and what can be read of it saved."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.backend.store.data import Data, until
from tests.backend.store.proposals import no_room, settled
from tests.backend.store.rebuild import sent_spans

from vivace.backend.store import examination, holdings, takeover
from vivace.backend.store import store as store_module
from vivace.backend.store.block import BlockSource
from vivace.backend.store.manifest import Manifest, write_manifest
from vivace.backend.store.proposal import DAMAGED, Proposal, propose, read_proposals, withdraw
from vivace.backend.store.store import Store
from vivace.backend.store.unit import UnreadableUnit


def test_a_block_that_a_reader_finds_damaged_is_set_aside(data: Data) -> None:
    first, second = data.blocks(2)
    path = data.folder.block(first.id) / "spans.parquet"
    contents = bytearray(path.read_bytes())
    contents[60:90] = bytes(30)
    path.write_bytes(contents)
    store = Store(data.folder.root)
    damaged, _ = store.snapshot()
    with pytest.raises(UnreadableUnit, match=first.id):
        damaged.slice("spans", 0, 1)
    with pytest.raises(UnreadableUnit):
        damaged.slice("spans", 0, 1)
    (report,) = read_proposals(data.folder)
    assert report.reason == DAMAGED
    settled(data)
    assert [unit.info for unit in store.snapshot()] == [second]
    assert data.visible() == sent_spans(data.sent[1:])
    assert (data.folder.damaged / first.id / "spans.parquet").read_bytes() == bytes(contents)
    (line,) = data.reports
    assert f"{first.spans} spans are lost" in line
    assert data.figures.registry.get_sample_value("vivace_spans_lost_total") == first.spans


def test_a_reader_says_again_what_seems_damaged_but_not_soon(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = data.blocks(1)
    path = data.folder.block(block.id) / "spans.parquet"
    path.write_bytes(bytes(path.stat().st_size))
    (unit,) = Store(data.folder.root).snapshot()
    for _ in range(3):
        with pytest.raises(UnreadableUnit):
            unit.slice("spans", 0, 1)
    (lost,) = read_proposals(data.folder)
    withdraw(data.folder, lost)
    monkeypatch.setattr(store_module, "NOTICE_SECONDS", 0)
    with pytest.raises(UnreadableUnit):
        unit.slice("spans", 0, 1)
    (again,) = read_proposals(data.folder)
    assert (again.remove, again.reason) == (frozenset({block.id}), DAMAGED)
    settled(data)
    assert data.units() == ()


@pytest.mark.parametrize("written", [False, True])
def test_a_damaged_block_is_kept_when_its_replacement_is_cut_short(
    data: Data, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    class Killed(BaseException):
        pass

    def killed(manifest: Manifest, path: Path) -> None:
        if written:
            write_manifest(manifest, path)
        raise Killed

    first, second = data.blocks(2)
    path = data.folder.block(first.id) / "spans.parquet"
    contents = bytes(path.stat().st_size)
    path.write_bytes(contents)
    propose(data.folder, Proposal(frozenset({first.id}), reason=DAMAGED))
    indexer = data.indexer()
    with monkeypatch.context() as patched:
        patched.setattr(holdings, "write_manifest", killed)
        with pytest.raises(Killed):
            until(indexer.step)
    settled(data)
    assert data.units() == (second,)
    assert (data.folder.damaged / first.id / "spans.parquet").read_bytes() == contents
    assert data.visible() == sent_spans(data.sent[1:])


def test_a_damaged_block_stays_while_the_manifest_cannot_be_written(
    data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = data.blocks(1)
    path = data.folder.block(block.id) / "spans.parquet"
    path.write_bytes(bytes(path.stat().st_size))
    propose(data.folder, Proposal(frozenset({block.id}), reason=DAMAGED))
    indexer = data.indexer()
    with monkeypatch.context() as patched:
        patched.setattr(holdings, "write_manifest", no_room)
        with pytest.raises(OSError, match="No space"):
            until(indexer.step)
    assert data.units() == (block,)
    assert path.exists()
    until(lambda: not indexer.step() and data.units() == ())
    assert (data.folder.damaged / block.id / "spans.parquet").exists()


def test_nothing_is_left_of_what_was_saved_when_a_block_cannot_be_set_aside(
    data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = data.blocks(1)
    indexer = data.indexer()
    (data.folder.block(block.id) / "extra").write_bytes(b"so that it is not what it was")
    monkeypatch.setattr(examination, "_read", broken)
    propose(data.folder, Proposal(frozenset({block.id}), reason=DAMAGED))
    with monkeypatch.context() as patched:
        patched.setattr(takeover, "set_aside", no_room)
        with pytest.raises(OSError, match="No space"):
            until(indexer.step)
    until(lambda: not indexer.step() and not read_proposals(data.folder))
    (saved,) = data.units()
    until(lambda: not indexer.step() and {path.name for path in data.folder.blocks.iterdir()} == {saved.id})
    indexer.close()
    assert data.visible() == sent_spans(data.sent)


def test_what_can_be_read_of_a_damaged_block_is_saved(data: Data) -> None:
    (block,) = data.blocks(1)
    (data.folder.block(block.id) / "extra").write_bytes(b"so that its size is not what it must be")
    data.indexer().close()  # which proposes to look at it
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(examination, "_read", broken)
        settled(data)
    (saved,) = data.units()
    assert saved.id != block.id
    assert saved == replace(block, id=saved.id, bytes=saved.bytes)
    assert data.visible() == sent_spans(data.sent)
    (report,) = data.reports
    assert f"0 spans are lost, {block.spans} could be saved" in report


def test_nothing_is_given_up_when_it_cannot_be_looked_at(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = data.blocks(1)
    proposal = propose(data.folder, Proposal(frozenset({blocks[0].id}), reason=DAMAGED))

    def too_many_open(_: BlockSource) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(examination, "_read", too_many_open)
    indexer = data.indexer()
    until(lambda: not indexer.step() and bool(data.reports))
    indexer.close()
    assert data.units() == tuple(blocks)
    assert data.visible() == sent_spans(data.sent)
    assert read_proposals(data.folder) == [proposal]
    assert "is not done yet" in data.reports[0]


def test_an_examination_that_was_broken_off_is_done_again(data: Data) -> None:
    first, second = data.blocks(2)
    data.folder.damaged.mkdir()
    data.folder.block(first.id).rename(data.folder.damaged / first.id)
    settled(data)
    assert data.units() == (first, second)
    assert data.visible() == sent_spans(data.sent)
    assert data.reports == []


def broken(_: BlockSource) -> None:
    raise OSError("a page is not what it was")


def test_a_block_that_is_not_damaged_stays(data: Data) -> None:
    blocks = data.blocks(2)
    propose(data.folder, Proposal(frozenset(unit.id for unit in blocks), reason=DAMAGED))
    settled(data)
    assert data.units() == tuple(blocks)
    assert data.visible() == sent_spans(data.sent)
    assert data.reports == []


def test_a_block_that_is_gone_is_no_damage_to_a_reader(data: Data) -> None:
    data.blocks(1)
    (unit,) = Store(data.folder.root).snapshot()
    shutil.rmtree(data.folder.block(unit.info.id))
    with pytest.raises(UnreadableUnit):
        unit.column("spans", "name")
    assert read_proposals(data.folder) == []
