"""Blocks that are made one a slice at a time hold what they would hold merged at once."""

from __future__ import annotations

import gc
import resource
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.backend.store.rebuild import stored_spans
from tests.backend.store.sample import request, text
from tests.backend.store.strategies import REQUESTS

from vivace.backend.compact import merging
from vivace.backend.compact.input import Input
from vivace.backend.compact.merging import Unmergeable, compact, merge_blocks
from vivace.backend.compact.plan import Job
from vivace.backend.store.block import BlockSource, write_block
from vivace.backend.store.choice import LEAST_COLUMNS
from vivace.backend.store.decode import decode
from vivace.backend.store.merge import merge
from vivace.backend.store.storage.local import LocalStorage
from vivace.backend.store.tables import FIXED, Tables
from vivace.backend.store.unit import UnitInfo, UnitKind, unit_info


def blocks(root: Path, parts: list[Tables]) -> list[Path]:
    folders = [root / str(number) for number in range(len(parts))]
    for tables, folder in zip(parts, folders, strict=True):
        write_block(tables, folder)
    return folders


def merged(root: Path, parts: list[Tables], rows: int, limit: int = 512) -> tuple[UnitInfo, Tables]:
    inputs = [Input(folder) for folder in blocks(root, parts)]
    unit = merge_blocks(inputs, root / "new", lambda: None, rows, limit)
    return unit, BlockSource(root / "new").tables()


@given(
    st.lists(st.lists(REQUESTS, min_size=1, max_size=2), min_size=1, max_size=4),
    st.integers(1, 9),
    st.sampled_from([1, 3, 512]),
)
@settings(max_examples=40, deadline=None)
def test_slices_hold_what_the_whole_does(requests: list[list[bytes]], rows: int, limit: int) -> None:
    parts = [decode(some, limit) for some in requests]
    whole = merge(parts, limit)
    with tempfile.TemporaryDirectory() as folder:
        unit, tables = merged(Path(folder), parts, rows, limit)
        size = sum(path.stat().st_size for path in (Path(folder) / "new").iterdir())
    assert stored_spans(tables) == stored_spans(whole)
    assert tables.traces.equals(whole.traces)
    assert unit == unit_info("new", UnitKind.BLOCK, whole, size)
    for table in ("spans", "events", "links"):
        assert len(tables[table].schema.names) - len(FIXED[table].names) <= limit


def test_row_groups_of_many_slices_are_read_like_any(tmp_path: Path) -> None:
    parts = [decode([request(seed, traces=400, spans=20)]) for seed in range(6)]
    whole = merge(parts)
    _, tables = merged(tmp_path, parts, rows=5000)
    for name, batch in whole.items():
        assert tables[name].to_pylist() == batch.to_pylist(), name
    source = BlockSource(tmp_path / "new")
    for first, count in ((0, 10), (16380, 10), (32760, 100), (47990, 10)):
        assert source.slice("spans", first, count).to_pylist() == whole.spans.slice(first, count).to_pylist()
        filled = source.filled("spans", first, count)
        assert filled.to_pylist() == whole.spans.slice(first, count).select(filled.schema.names).to_pylist()


def test_a_trace_of_five_blocks_is_one_in_the_compacted_block(tmp_path: Path) -> None:
    parts = [decode([request(1, traces=2, spans=3)]) for _ in range(5)]
    for number, part in enumerate(parts):
        parts[number] = late(part, number)
    unit, tables = merged(tmp_path, parts, rows=1)
    assert unit.traces == tables.traces.num_rows == 2
    assert tables.traces.column("count").to_pylist() == [15, 15]
    assert unit.spans == 30


def late(tables: Tables, number: int) -> Tables:
    """The same traces, with other spans."""
    place = tables.spans.schema.get_field_index("span_id")
    ids = pc.add(tables.spans.column(place), pa.scalar(number, pa.uint64()))
    spans = tables.spans.set_column(place, tables.spans.schema.field(place), ids)
    return Tables(**{**dict(tables.items()), "spans": spans})


class Folders(LocalStorage):
    """Blocks that lie in any folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def fetch(self, unit: UnitInfo) -> Path:
        return self._root / unit.id


def job(root: Path, parts: list[Tables]) -> Job:
    infos = [
        unit_info(folder.name, UnitKind.BLOCK, part, 0) for folder, part in zip(blocks(root, parts), parts, strict=True)
    ]
    return Job(tuple(infos))


@pytest.mark.parametrize("table", ["spans", "traces", "events", "resources", "overflow"])
def test_a_damaged_block_is_named(tmp_path: Path, table: str) -> None:
    work = job(tmp_path, [decode([request(seed)]) for seed in range(3)])
    path = tmp_path / "1" / f"{table}.parquet"
    contents = bytearray(path.read_bytes())
    contents[4 : len(contents) // 2] = bytes(len(contents) // 2 - 4)
    path.write_bytes(contents)
    with pytest.raises(Unmergeable) as refusal:
        compact(work, Folders(tmp_path), tmp_path / "new")
    assert refusal.value.blocks == {"1"}
    assert {path.name for path in tmp_path.iterdir()} == {"0", "1", "2"}


def test_what_interrupts_a_merge_leaves_nothing(tmp_path: Path) -> None:
    class Enough(BaseException):
        pass

    def between() -> None:
        raise Enough

    work = job(tmp_path, [decode([request(seed)]) for seed in range(3)])
    with pytest.raises(Enough):
        compact(work, Folders(tmp_path), tmp_path / "new", between)
    assert {path.name for path in tmp_path.iterdir()} == {"0", "1", "2"}


@pytest.mark.parametrize("fails", [False, True])
def test_files_are_closed_at_once(tmp_path: Path, fails: bool) -> None:
    def between() -> None:
        if fails:
            raise ValueError("what nobody thought of")

    def open_files() -> int:
        return len([*Path("/proc/self/fd").iterdir()])

    work = job(tmp_path, [decode([request(seed)]) for seed in range(3)])
    gc.collect()
    before = open_files()
    gc.disable()
    try:
        with suppress(Unmergeable):
            compact(work, Folders(tmp_path), tmp_path / "new", between)
        assert open_files() == before
    finally:
        gc.enable()


def test_rare_attributes_stay_findable_and_columns_few(tmp_path: Path) -> None:
    def request_with_keys(seed: int) -> bytes:
        message = ExportTraceServiceRequest.FromString(request(seed, traces=40, spans=5))
        for number, span in enumerate(message.resource_spans[0].scope_spans[0].spans):
            span.attributes.append(text(f"rare.{seed}.{number}", "x"))
        return message.SerializeToString()

    parts = [decode([request_with_keys(seed)]) for seed in range(3)]
    _, tables = merged(tmp_path, parts, rows=500)
    assert stored_spans(tables) == stored_spans(merge(parts))
    assert tables.spans.num_columns - len(FIXED["spans"].names) <= LEAST_COLUMNS
    assert tables.overflow.num_rows > 400


def test_what_would_take_too_much_memory_stays_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "CELLS", 10)
    work = job(tmp_path, [decode([request(seed)]) for seed in range(3)])
    with pytest.raises(Unmergeable, match="more than are merged at once") as refusal:
        compact(work, Folders(tmp_path), tmp_path / "new")
    assert refusal.value.blocks == {"0", "1", "2"}
    assert not refusal.value.unreadable


@pytest.mark.parametrize("size", [30, 20_000])
def test_a_full_disk_leaves_nothing_and_says_one_thing(tmp_path: Path, size: int) -> None:
    blocks(tmp_path, [decode([request(seed, traces=100)]) for seed in range(3)])
    script = "import sys; from tests.backend.compact.test_merging import fill; fill(sys.argv[1], int(sys.argv[2]))"
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), str(size)], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["full", "written"], done.stderr
    assert done.stderr == ""
    assert {path.name for path in tmp_path.iterdir()} == {"0", "1", "2", "new"}


def fill(root: str, size: int) -> None:
    """Run in a process of its own, whose files can be no larger than so many bytes, and then larger."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    for limit in (size, resource.RLIM_INFINITY):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            merge_blocks([Input(Path(root) / name) for name in "012"], Path(root) / "new", rows=200)
        except OSError:
            print("full")  # noqa: T201 - what the test reads
        else:
            print("written")  # noqa: T201
        gc.collect()
