from __future__ import annotations

import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.backend.store.data import AT_ONCE, NEVER, OFTEN, Data, until
from tests.backend.store.rebuild import sent_spans
from tests.backend.store.sample import request

from vivace.backend.store import indexer_figures, merger
from vivace.backend.store.batch import AttributeLists, Batch
from vivace.backend.store.flatten import flatten
from vivace.backend.store.log import Entry, log_numbers, payload_of
from vivace.backend.store.manifest import read_manifest
from vivace.backend.store.merge import merge
from vivace.backend.store.plan import Sizes
from vivace.backend.store.tables import Tables
from vivace.backend.store.unit import UnitKind
from vivace.backend.tenant.identity import SINGLE_TENANT
from vivace.errors import TargetError


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Data]:
    one = Data(tmp_path)
    yield one
    one.writer.close()


def test_what_arrives_becomes_visible_once(data: Data) -> None:
    indexer = data.indexer()
    assert not indexer.step()
    for _ in range(3):
        data.arrive(2)
        assert indexer.step()
        assert not indexer.step()
        assert data.visible() == sent_spans(data.sent)
    assert data.kinds() == {UnitKind.SEGMENT: 3}
    indexer.close()


def test_units_stay_few_and_nothing_is_lost_or_doubled_on_the_way(data: Data) -> None:
    indexer = data.indexer(OFTEN)
    for _ in range(60):
        data.arrive()
        indexer.step()
        assert data.visible() == sent_spans(data.sent)
    until(lambda: not indexer.step() and data.kinds()[UnitKind.SEGMENT] < 4)
    assert data.kinds()[UnitKind.BLOCK] >= 1
    indexer.close()
    assert data.visible() == sent_spans(data.sent)
    assert data.kinds()[UnitKind.SEGMENT] < 4
    manifest = read_manifest(data.folder.manifest)
    assert log_numbers(data.folder.log)[0] == manifest.blocks.file
    assert {path.stem for path in data.folder.segments.iterdir()} == {
        unit.id for unit in manifest.units if unit.kind is UnitKind.SEGMENT
    }
    assert data.reports == []


def test_tenants_have_units_of_their_own_that_become_visible_together(data: Data) -> None:
    indexer = data.indexer(OFTEN)
    for round_ in range(12):
        for tenant in ("a", "b", "c")[: 1 + round_ % 3]:
            data.arrive(1, tenant)
        indexer.step()
        for tenant in ("a", "b", "c"):
            assert data.visible(tenant) == sent_spans(data.sent_by[tenant])
    assert data.visible("a", "c") == sent_spans(data.sent_by["a"] + data.sent_by["c"])
    until(lambda: not indexer.step() and data.kinds()[UnitKind.BLOCK] >= 3)
    indexer.close()
    assert {unit.tenant for unit in data.units() if unit.kind is UnitKind.BLOCK} == {"a", "b", "c"}
    for tenant in ("a", "b", "c"):
        assert data.visible(tenant) == sent_spans(data.sent_by[tenant])
    assert data.figures.registry.get_sample_value("tempodb_blocklist_length", {"tenant": "a"})


def test_a_few_tenants_have_figures_of_their_own(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer_figures, "MOST_TENANTS", 1)
    data.blocks(2, "a")
    data.blocks(1, "b")
    data.blocks(1, "c")
    data.indexer().close()
    value = data.figures.registry.get_sample_value
    assert value("tempodb_blocklist_length", {"tenant": "a"}) == 2
    assert value("tempodb_blocklist_length", {"tenant": "(other)"}) == 2
    assert value("tempodb_blocklist_length", {"tenant": "b"}) is None


def test_old_data_make_blocks_of_their_own(data: Data) -> None:
    message = ExportTraceServiceRequest.FromString(request(77))
    for span in message.resource_spans[0].scope_spans[0].spans:
        span.start_time_unix_nano -= 86_400 * 10**9
        span.end_time_unix_nano -= 86_400 * 10**9
    indexer = data.indexer(AT_ONCE)
    data.arrive(2)
    data.take(message.SerializeToString())
    until(lambda: not indexer.step() and data.kinds() == {UnitKind.BLOCK: 2})
    indexer.close()
    old, new = sorted(data.units(), key=lambda unit: unit.end_ns)
    assert old.end_ns - old.start_ns < 10**9
    assert new.start_ns - old.end_ns > 86_000 * 10**9
    assert data.visible() == sent_spans(data.sent)


def test_a_unit_knows_when_the_last_of_it_arrived(data: Data) -> None:
    def arrivals() -> dict[str, int]:
        return {unit.tenant: unit.arrived_ns for unit in data.units()}

    def arrive(tenant: str, now_ns: int) -> None:
        data.clock = lambda: now_ns
        data.arrive(1, tenant)

    for tenant, now_ns in (("a", 10), ("a", 30), ("b", 20), ("a", 25)):
        arrive(tenant, now_ns)
    data.indexer().step()
    assert arrivals() == {"a": 30, "b": 20}
    for unit in data.units():
        data.folder.segment(unit.id).unlink()
    indexer = data.indexer()  # which makes them again
    indexer.step()
    assert arrivals() == {"a": 30, "b": 20}
    arrive("b", 40)
    arrive("a", 29)
    indexer.step()
    assert data.kinds() == {UnitKind.SEGMENT: 4}
    indexer.close()
    indexer = data.indexer(AT_ONCE)
    until(lambda: not indexer.step() and data.kinds() == {UnitKind.BLOCK: 2})
    indexer.close()
    assert arrivals() == {"a": 30, "b": 40}


def test_segments_that_cannot_be_read_any_more_are_made_again_from_the_log(data: Data) -> None:
    indexer = data.indexer(Sizes(block_spans=40, small_segments=1 << 30))
    data.arrive(2)
    indexer.step()
    (segment,) = data.units()
    data.folder.segment(segment.id).write_bytes(b"damaged")
    data.arrive(1)
    until(lambda: not indexer.step() and data.kinds()[UnitKind.BLOCK] == 1)
    indexer.close()
    assert data.visible() == sent_spans(data.sent)
    (report,) = data.reports
    assert "made again from the log" in report


@pytest.mark.parametrize("error", [ValueError, KeyError, MemoryError, pa.ArrowNotImplementedError])
def test_a_tenant_whose_segments_cannot_be_merged_holds_up_nobody(
    data: Data, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def refuse(parts: Sequence[Tables], columns: int) -> Tables:
        if sum(part.spans.num_rows for part in parts) == 45:
            raise error("too\nmuch")
        return merge(parts, columns)

    monkeypatch.setattr(merger, "merge", refuse)
    indexer = data.indexer(Sizes(block_spans=75, small_segments=1 << 30))
    for tenant in ("a", "b", "a", "b", "a"):
        data.arrive(1, tenant)
        indexer.step()
    until(lambda: not indexer.step() and data.kinds()[UnitKind.SEGMENT] == 0)
    indexer.close()
    assert Counter(unit.tenant for unit in data.units()) == {"a": 3, "b": 1}
    assert data.visible() == sent_spans(data.sent)
    (report,) = data.reports
    assert f"{error.__name__}: " in report
    assert "\n" not in report
    assert (
        data.figures.registry.get_sample_value("vivace_merge_errors_total", {"kind": "block", "reason": "spans"}) == 1
    )
    data.indexer().close()
    assert len(data.reports) == 1


def test_segments_that_can_become_nothing_are_tried_again(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise KeyError("what nobody thought of")

    indexer = data.indexer(OFTEN)
    with monkeypatch.context() as refusing:
        refusing.setattr(merger, "merge", refuse)
        refusing.setattr(merger, "write_block", refuse)
        for _ in range(30):
            data.arrive()
            indexer.step()
            time.sleep(0.01)
        assert data.visible() == sent_spans(data.sent)
    assert data.kinds() == {UnitKind.SEGMENT: 30}
    (report,) = data.reports
    assert "KeyError: " in report
    assert "tried again" in report
    until(lambda: not indexer.step() and data.kinds()[UnitKind.BLOCK] > 0)
    indexer.close()
    assert data.visible() == sent_spans(data.sent)


def test_another_indexer_goes_on_where_one_ended_without_notice(data: Data) -> None:
    for _ in range(5):
        data.arrive(3)
        data.indexer(NEVER).step()
        data.arrive(2)
        assert data.visible() <= sent_spans(data.sent)
    indexer = data.indexer(OFTEN)
    indexer.close()
    assert data.visible() == sent_spans(data.sent)


def test_what_the_manifest_does_not_name_is_removed_at_the_start(data: Data) -> None:
    data.arrive(2)
    indexer = data.indexer()
    indexer.step()
    (data.folder.segments / "unfinished.arrow.tmp").write_bytes(b"x")
    (data.folder.segments / "unpublished.arrow").write_bytes(b"x")
    (data.folder.blocks / "unpublished").mkdir()
    (data.folder.blocks / "unpublished" / "spans.parquet").write_bytes(b"x")
    data.folder.manifest.with_name("manifest.json.tmp").write_bytes(b"x")
    data.indexer()
    assert len(list(data.folder.segments.iterdir())) == 1
    assert list(data.folder.blocks.iterdir()) == []
    assert list(data.folder.root.glob("*.tmp")) == []
    assert data.visible() == sent_spans(data.sent)


def test_blocks_without_a_manifest_are_never_taken_for_garbage(data: Data) -> None:
    blocks = data.blocks(2)
    kept = data.folder.manifest.read_bytes()
    data.folder.manifest.unlink()
    for _ in range(2):
        with pytest.raises(TargetError, match="holds 2 blocks; restore it, or move"):
            data.indexer()
    assert all(data.folder.block(block.id).is_dir() for block in blocks)
    data.folder.manifest.write_bytes(kept)
    data.indexer().close()
    assert data.visible() == sent_spans(data.sent)


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"short")])
def test_a_damaged_segment_is_set_aside_and_made_again(data: Data, damage: Callable[[Path], None]) -> None:
    indexer = data.indexer()
    for _ in range(3):
        data.arrive()
        indexer.step()
    unit = read_manifest(data.folder.manifest).units[1]
    damage(data.folder.segment(unit.id))
    indexer = data.indexer()
    while indexer.step():
        pass
    assert data.visible() == sent_spans(data.sent)
    (report,) = data.reports
    assert "made again from the log" in report


def test_a_damaged_block_is_set_aside_and_reported(data: Data) -> None:
    indexer = data.indexer(OFTEN)
    data.arrive(10)
    indexer.step()
    until(lambda: not indexer.step() and data.kinds()[UnitKind.BLOCK] > 0)
    kept = len(data.sent)
    data.arrive()
    indexer.close()
    block = next(unit for unit in data.units() if unit.kind is UnitKind.BLOCK)
    (data.folder.block(block.id) / "spans.parquet").write_bytes(b"damaged")
    indexer = data.indexer()
    until(lambda: not indexer.step() and bool(data.reports))
    indexer.close()
    assert data.visible() == sent_spans(data.sent[kept:])
    (report,) = data.reports
    assert f"{block.spans} spans are lost" in report
    assert (data.folder.damaged / block.id / "traces.parquet").exists()


def test_a_block_that_is_not_there_is_reported(data: Data) -> None:
    (block, _) = data.blocks(2)
    shutil.rmtree(data.folder.block(block.id))
    data.indexer().close()
    assert data.visible() == sent_spans(data.sent[1:])
    (report,) = data.reports
    assert f"{block.spans} spans of {SINGLE_TENANT} are lost" in report


def test_damage_in_the_log_is_reported_and_passed_over(data: Data) -> None:
    data.arrive(3)
    path = data.folder.log / f"{2:010d}.log"
    contents = bytearray(path.read_bytes())
    contents[1000] ^= 1
    path.write_bytes(contents)
    indexer = data.indexer()
    indexer.step()
    assert data.visible() == sent_spans([data.sent[0], data.sent[2]])
    (report,) = data.reports
    assert "hold no valid record" in report


def test_a_record_that_cannot_be_decoded_does_not_hold_up_the_others(data: Data) -> None:
    data.arrive()
    batch = flatten([request(99)])
    bad = AttributeLists(np.array([0, 1], np.int32), np.array([0], np.int32), pa.array([b"\xff"], pa.binary()))
    broken = Batch(batch.columns, {**batch.attributes, "resources": bad})
    data.writer.append([Entry(SINGLE_TENANT, payload_of(broken), 15, time.time_ns())])
    data.arrive()
    indexer = data.indexer()
    indexer.step()
    assert data.visible() == sent_spans(data.sent)
    (report,) = data.reports
    assert "cannot be decoded" in report
    assert data.figures.registry.get_sample_value("vivace_spans_undecodable_total") == 15


def test_a_full_disk_holds_up_the_indexer_until_there_is_room(tmp_path: Path) -> None:
    script = "import pathlib, sys; from tests.backend.store.test_indexer import fill; fill(pathlib.Path(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["visible", "full", "full", "visible"], done.stderr


def fill(root: Path) -> None:
    """Run in a process of its own, whose files can be no larger than a few kilobytes, and then larger."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    data = Data(root)
    indexer = data.indexer()
    for attempt in range(4):
        data.arrive()
        limit = 3000 if attempt in {1, 2} else resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            indexer.step()
        except OSError:
            print("full")  # noqa: T201 - what the test reads
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        if data.visible() == sent_spans(data.sent):
            print("visible")  # noqa: T201
