"""The compactor beside an indexer: blocks become few, and everything stays there once."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.backend.store.data import AT_ONCE, Data, until
from tests.backend.store.rebuild import sent_spans
from tests.backend.store.sample import at, request

from vivace.backend.compact import compactor as compactor_module
from vivace.backend.compact.compactor import STUCK_SECONDS, Compactor
from vivace.backend.compact.figures import CompactorFigures
from vivace.backend.store.apart import LONGEST_SECONDS
from vivace.backend.store.block import BlockSource
from vivace.backend.store.manifest import read_manifest, write_manifest
from vivace.backend.store.proposal import Proposal, propose, read_proposals
from vivace.backend.store.storage.interface import Storage
from vivace.backend.store.storage.local import LocalStorage
from vivace.backend.store.unit import UnitInfo

HOUR = 3600 * 10**9
NOW = 472_222 * HOUR


class Pair:
    """An indexer and a compactor over the same folder."""

    def __init__(self, data: Data, retention_s: Mapping[str, float] | None = None) -> None:
        self.data = data
        self.figures = CompactorFigures()
        self.reports: list[str] = []
        self.kept = retention_s or {}
        self.indexer = data.indexer(AT_ONCE)
        self.compactor = self.started()

    def started(self, between: Callable[[], None] = lambda: None, storage: Storage | None = None) -> Compactor:
        return Compactor(
            self.data.folder,
            storage or LocalStorage(self.data.folder),
            self.figures,
            self.reports.append,
            lambda tenant: self.kept.get(tenant, 0.0),
            between=between,
        )

    def settle(self) -> int:
        """Until neither has anything to do; how many proposals that took."""
        proposals = 0
        while self.compactor.step():
            proposals += len(read_proposals(self.data.folder))
            until(lambda: not self.indexer.step() and not self.compactor.waiting)
        return proposals

    def count(self, name: str, **labels: str) -> float | None:
        return self.figures.registry.get_sample_value(name, labels)


def test_blocks_of_a_tenant_become_one(data: Data) -> None:
    data.blocks(3, "a")
    data.blocks(2, "b")
    pair = Pair(data)
    assert pair.settle() == 2
    assert sorted((unit.tenant, unit.level, unit.spans) for unit in data.units()) == [("a", 1, 45), ("b", 1, 30)]
    for tenant in ("a", "b"):
        assert data.visible(tenant) == sent_spans(data.sent_by[tenant])
    assert not pair.compactor.step()
    assert pair.count("tempodb_compaction_blocks_total", level="0") == 5
    assert pair.count("tempodb_compaction_objects_written_total", level="0") == 15
    assert pair.count("tempodb_compaction_objects_combined_total", level="0") == 0
    assert pair.count("tempodb_compaction_outstanding_blocks", tenant="a") == 0
    assert pair.count("tempo_compactor_compaction_total") == 2
    assert pair.reports == data.reports == []
    assert list(data.folder.proposals.iterdir()) == []


def test_many_small_blocks_are_compacted_ahead_of_who_takes_them(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    for tenant in "abcde":
        data.blocks(2, tenant)
    pair = Pair(data)
    for ahead, size, proposed in ((5, 1, 1), (3, 1 << 30, 3), (5, 1 << 30, 5)):
        monkeypatch.setattr(compactor_module, "AHEAD", ahead)
        monkeypatch.setattr(compactor_module, "AHEAD_BYTES", size)
        assert pair.compactor.step()
        assert not pair.compactor.step()
        assert len(read_proposals(data.folder)) == proposed
    assert pair.compactor.merges == 5
    until(lambda: not pair.indexer.step() and not pair.compactor.waiting)
    assert not pair.compactor.step()
    assert sorted((unit.tenant, unit.spans) for unit in data.units()) == [(tenant, 30) for tenant in "abcde"]
    assert data.visible() == sent_spans(data.sent)
    assert pair.count("tempo_compactor_compaction_total") == 5
    assert pair.reports == data.reports == []


def test_old_blocks_go_however_many_proposals_wait(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compactor_module, "AHEAD", 1)
    data.blocks(2, "a")
    (old,) = data.blocks(1, "b")
    pair = Pair(data)
    assert pair.compactor.step()
    pair.kept = {"b": 3600.0}
    assert pair.compactor.step()
    assert not pair.compactor.step()
    assert [proposal.reason for proposal in read_proposals(data.folder)] == ["compaction", "retention"]
    assert read_proposals(data.folder)[1].remove == {old.id}


@pytest.mark.parametrize(("bound", "value"), [("AHEAD", 1), ("AHEAD_BYTES", 1)])
def test_a_proposal_that_nobody_takes_does_not_stop_compaction(
    data: Data, monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    now = 0.0
    monkeypatch.setattr(compactor_module, bound, value)
    monkeypatch.setattr(compactor_module, "monotonic", lambda: now)
    for tenant in "abc":
        data.blocks(2, tenant)
    pair = Pair(data)
    for proposed in (1, 2, 3):
        assert pair.compactor.step()
        assert not pair.compactor.step()
        now += STUCK_SECONDS
        assert not pair.compactor.step()
        now += 1
        proposals = read_proposals(data.folder)
        assert len(proposals) == len({unit for proposal in proposals for unit in proposal.remove}) / 2 == proposed
    until(lambda: not pair.indexer.step() and not pair.compactor.waiting)
    assert data.visible() == sent_spans(data.sent)


def test_spans_of_a_trace_that_came_late_join_it(data: Data) -> None:
    message = ExportTraceServiceRequest.FromString(request(1, traces=1, spans=5))
    spans = [*message.resource_spans[0].scope_spans[0].spans]
    indexer = data.indexer(AT_ONCE)
    for span in spans:
        del message.resource_spans[0].scope_spans[0].spans[:]
        message.resource_spans[0].scope_spans[0].spans.append(span)
        data.take(message.SerializeToString())
        until(lambda: not indexer.step() and {unit.kind for unit in data.units()} == {"block"})
    indexer.close()
    assert [unit.traces for unit in data.units()] == [1] * 5
    pair = Pair(data)
    pair.settle()
    (unit,) = data.units()
    assert (unit.spans, unit.traces) == (5, 1)
    assert BlockSource(data.folder.block(unit.id)).rows("traces") == 1
    assert data.visible() == sent_spans(data.sent)
    assert pair.count("tempodb_compaction_objects_combined_total", level="0") == 4


def test_spans_that_came_again_are_there_once(data: Data) -> None:
    indexer = data.indexer(AT_ONCE)
    for _ in range(3):
        data.take(request(1))
        until(lambda: not indexer.step() and {unit.kind for unit in data.units()} == {"block"})
    indexer.close()
    pair = Pair(data)
    pair.settle()
    assert data.visible() == sent_spans([request(1)])
    assert pair.count("tempodb_compaction_spans_deduped_total", tenant="single-tenant") == 30


def test_old_blocks_of_a_tenant_go(data: Data) -> None:
    data.blocks(2, "a")
    data.blocks(1, "b")
    pair = Pair(data, {"a": 3600.0})
    assert pair.settle() == 1
    assert [unit.tenant for unit in data.units()] == ["b"]
    assert pair.count("tempodb_retention_marked_for_deletion_total") == 2
    assert pair.count("tempodb_retention_deleted_total") == 2


@pytest.mark.parametrize("time_ns", [0, NOW - 48 * HOUR, NOW, NOW + 10_000 * HOUR])
def test_spans_of_any_time_are_kept_from_when_they_arrived(
    data: Data, monkeypatch: pytest.MonkeyPatch, time_ns: int
) -> None:
    data.clock = lambda: NOW
    indexer = data.indexer(AT_ONCE)
    for seed in range(4):
        data.take(at(seed, time_ns))
        until(lambda: not indexer.step() and {unit.kind for unit in data.units()} == {"block"})
    indexer.close()
    pair = Pair(data, {"single-tenant": 24 * 3600.0})
    monkeypatch.setattr(compactor_module, "time_ns", lambda: NOW + 24 * HOUR)
    assert pair.settle() == 1
    assert [(unit.level, unit.arrived_ns) for unit in data.units()] == [(1, NOW)]
    pair.indexer.close()
    pair = Pair(data, pair.kept)
    assert pair.settle() == 0
    assert data.visible() == sent_spans(data.sent)
    monkeypatch.setattr(compactor_module, "time_ns", lambda: NOW + 24 * HOUR + 1)
    assert pair.settle() == 1
    assert data.units() == ()
    assert pair.count("tempodb_retention_deleted_total") == 1


def test_a_damaged_block_is_reported_once_and_the_others_are_compacted(data: Data) -> None:
    damaged, *_ = data.blocks(4)
    path = data.folder.block(damaged.id) / "spans.parquet"
    pair = Pair(data)
    path.write_bytes(bytes(path.stat().st_size))
    assert not pair.compactor.step()
    (report,) = pair.reports
    assert damaged.id in report
    assert "cannot be read" in report
    until(lambda: not pair.indexer.step() and not pair.compactor.waiting)
    pair.settle()
    assert data.visible() == sent_spans(data.sent[1:])
    assert len(data.units()) == 1
    assert "15 spans are lost" in data.reports[0]
    assert pair.count("tempodb_compaction_errors_total") == 1
    assert len(pair.reports) == 1


@pytest.mark.parametrize("error", [ValueError, TypeError, KeyError, ZeroDivisionError, pa.ArrowNotImplementedError])
@pytest.mark.parametrize("where", ["merge", "Slices.of", "Input"])
def test_blocks_that_cannot_be_made_one_stay_apart_for_a_while(
    data: Data, monkeypatch: pytest.MonkeyPatch, error: type[Exception], where: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error("too\nmuch")

    data.blocks(3, "a")
    pair = Pair(data)
    with monkeypatch.context() as refusing:
        refusing.setattr(f"vivace.backend.compact.merging.{where}", refuse)
        for _ in range(3):
            assert not pair.compactor.step()
    (report,) = pair.reports
    assert f"{error.__name__}: " in report
    assert "\n" not in report
    assert pair.count("tempodb_compaction_errors_total") == 1
    assert list(data.folder.proposals.iterdir()) == []
    data.blocks(3, "b")
    pair.indexer = data.indexer(AT_ONCE)
    assert pair.settle() == 1
    assert len(data.units()) == 4
    monkeypatch.setattr(compactor_module, "monotonic", lambda: time.monotonic() + LONGEST_SECONDS)
    assert pair.settle() == 1
    assert len(data.units()) == 2
    assert data.visible() == sent_spans(data.sent)


def test_blocks_that_somebody_else_replaced_need_no_word(data: Data) -> None:
    units = data.blocks(3)
    pair = Pair(data)

    def replaced() -> None:
        propose(data.folder, Proposal(frozenset({units[0].id}), reason="retention"))
        until(lambda: not pair.indexer.step() and len(data.units()) == 2)

    pair.compactor = pair.started(replaced)
    assert pair.compactor.step()
    until(lambda: not pair.indexer.step() and not pair.compactor.waiting)
    assert len(data.units()) == 2
    pair.compactor = pair.started()
    pair.settle()
    assert len(data.units()) == 1
    assert data.visible() == sent_spans(data.sent[1:])
    assert pair.reports == data.reports == []


def test_blocks_that_went_before_they_were_read_need_no_word(data: Data) -> None:
    data.blocks(3)
    pair = Pair(data)

    class Late(LocalStorage):
        def fetch(self, unit: UnitInfo) -> Path:
            manifest = read_manifest(data.folder.manifest)
            write_manifest(manifest.replaced({unit.id}, ()), data.folder.manifest)
            raise FileNotFoundError(unit.id)

    pair.compactor = pair.started(storage=Late(data.folder))
    assert not pair.compactor.step()
    assert pair.reports == []


def test_a_full_disk_is_reported_once_and_tried_again(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compactor_module, "REST_SECONDS", 0)
    data.blocks(3)
    pair = Pair(data)
    with monkeypatch.context() as full:

        def refuse(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        full.setattr("vivace.backend.compact.block_writer.sync", refuse)
        assert not pair.compactor.step()
        assert not pair.compactor.step()
    (report,) = pair.reports
    assert "No space left on device" in report
    assert list(data.folder.proposals.iterdir()) == []
    assert pair.settle() == 1
    assert len(data.units()) == 1
    assert data.visible() == sent_spans(data.sent)
    assert pair.reports[1:] == ["blocks are compacted again"]


def test_storage_that_cannot_be_reached_is_reported_once_and_tried_again(
    data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Far(LocalStorage):
        reachable = False

        def fetch(self, unit: UnitInfo) -> Path:
            if not self.reachable:
                raise OSError("s3://bucket: cannot be reached")
            return super().fetch(unit)

    monkeypatch.setattr(compactor_module, "REST_SECONDS", 0)
    data.blocks(3)
    pair = Pair(data)
    storage = Far(data.folder)
    pair.compactor = pair.started(storage=storage)
    assert not pair.compactor.step()
    assert not pair.compactor.step()
    (report,) = pair.reports
    assert "cannot be reached" in report
    storage.reachable = True
    assert pair.settle() == 1
    assert data.visible() == sent_spans(data.sent)


def test_what_was_left_unfinished_goes_at_the_start(data: Data) -> None:
    first, second, third = data.blocks(3)
    kept = Proposal(frozenset({first.id}), reason="retention")
    propose(data.folder, kept)
    for name in ("unproposed", "unfinished.tmp"):
        shutil.copytree(data.folder.block(second.id), data.folder.proposals / name)
    pair = Pair(data)
    assert [path.suffix for path in data.folder.proposals.iterdir()] == [".json"]
    until(lambda: not pair.indexer.step() and len(data.units()) == 2)
    pair.settle()
    assert data.visible() == sent_spans(data.sent[1:])
    assert third.id not in {unit.id for unit in data.units()}
