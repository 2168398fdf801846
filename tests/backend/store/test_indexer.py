from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.backend.store.rebuild import sent_spans
from tests.backend.store.sample import request
from tests.backend.store.test_store import spans_of

from vivace.backend.store import indexer as indexer_module
from vivace.backend.store.batch import AttributeLists, Batch
from vivace.backend.store.flatten import flatten
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.indexer import Indexer
from vivace.backend.store.indexer_figures import IndexerFigures
from vivace.backend.store.log import Entry, LogWriter, log_numbers, payload_of
from vivace.backend.store.manifest import read_manifest
from vivace.backend.store.plan import Sizes
from vivace.backend.store.store import Store
from vivace.backend.store.unit import UnitKind
from vivace.backend.tenant.identity import SINGLE_TENANT

NEVER = Sizes(block_spans=1 << 60, block_bytes=1 << 60, block_age_s=1e9, small_units=1 << 30)
OFTEN = Sizes(block_spans=100, small_segment_spans=40, small_block_spans=200, small_units=3)


class Data:
    """A data folder with a log being written, and the reports of indexers over it."""

    def __init__(self, root: Path) -> None:
        self.folder = DataFolder(root)
        self.folder.create()
        self.writer = LogWriter(self.folder.log, file_bytes=1)
        self.sent: list[bytes] = []
        self.reports: list[str] = []
        self.figures = IndexerFigures()

    def arrive(self, requests: int = 1) -> None:
        for _ in range(requests):
            self.sent.append(request(len(self.sent)))
            self.writer.append([Entry(SINGLE_TENANT, payload_of(flatten([self.sent[-1]])), 15, time.time_ns())])

    def indexer(self, sizes: Sizes = NEVER) -> Indexer:
        return Indexer(self.folder, self.figures, self.reports.append, sizes)

    def visible(self) -> Counter[bytes]:
        return spans_of(Store(self.folder.root).snapshot())

    def kinds(self) -> Counter[UnitKind]:
        return Counter(unit.kind for unit in read_manifest(self.folder.manifest).units)


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Data]:
    one = Data(tmp_path)
    yield one
    one.writer.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


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
    assert sum(data.kinds().values()) < 20
    manifest = read_manifest(data.folder.manifest)
    assert log_numbers(data.folder.log)[0] == manifest.blocks.file
    assert {path.stem for path in data.folder.segments.iterdir()} == {
        unit.id for unit in manifest.units if unit.kind is UnitKind.SEGMENT
    }
    assert data.reports == []


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
    block = next(unit for unit in read_manifest(data.folder.manifest).units if unit.kind is UnitKind.BLOCK)
    (data.folder.block(block.id) / "spans.parquet").write_bytes(b"damaged")
    data.indexer().close()
    assert data.visible() == sent_spans(data.sent[kept:])
    (report,) = data.reports
    assert f"{block.spans} spans are lost" in report
    assert (data.folder.damaged / block.id / "traces.parquet").exists()


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


def test_replaced_blocks_stay_for_a_while(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer_module, "LINGER_SECONDS", 0.5)
    indexer = data.indexer(Sizes(block_age_s=0, small_units=3))
    most = 0

    def few() -> bool:
        nonlocal most
        indexer.step()
        most = max(most, len(list(data.folder.blocks.iterdir())))
        return len(list(data.folder.blocks.iterdir())) == 1 and data.kinds() == {UnitKind.BLOCK: 1}

    for _ in range(3):
        data.arrive()
        until(lambda: not indexer.step() and data.kinds()[UnitKind.SEGMENT] == 0)
    until(few)
    assert most == 4
    assert data.visible() == sent_spans(data.sent)
    indexer.close()


def test_blocks_that_cannot_be_merged_stay_apart(data: Data) -> None:
    indexer = data.indexer(Sizes(block_age_s=0, small_units=3))
    for number in range(4):
        data.arrive()
        until(lambda: not indexer.step() and data.kinds()[UnitKind.SEGMENT] == 0)
        if number == 0:
            (damaged,) = read_manifest(data.folder.manifest).units
            path = data.folder.block(damaged.id) / "spans.parquet"
            path.write_bytes(bytes(path.stat().st_size))
    until(lambda: not indexer.step() and bool(data.reports))
    (report,) = data.reports
    assert "stay apart" in report
    assert data.kinds() == {UnitKind.BLOCK: 4}
    indexer.close()


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
