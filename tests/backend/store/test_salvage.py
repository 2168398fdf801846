"""Of a damaged block all traces are saved of which nothing is damaged, each whole; nothing else is."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.backend.store.rebuild import stored_spans
from tests.backend.store.sample import request
from tests.backend.store.strategies import REQUESTS

from vivace.backend.store import block, salvage
from vivace.backend.store.block import BlockSource, write_block
from vivace.backend.store.decode import decode
from vivace.backend.store.salvage import salvaged
from vivace.backend.store.tables import Tables
from vivace.backend.store.unit import READ_ERRORS
from vivace.backend.store.window import traces_of

GROUP = 64


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block, "ROW_GROUP", GROUP)
    monkeypatch.setattr(salvage, "ROW_GROUP", GROUP)
    monkeypatch.setattr(salvage, "SPANS_AT_ONCE", 150)


def rot(path: Path, group: int, column: int = 0) -> None:
    """Overwrites a column of a group of rows."""
    chunk = pq.ParquetFile(path).metadata.row_group(group).column(column)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    contents = bytearray(path.read_bytes())
    contents[start : start + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
    path.write_bytes(contents)


def whole_traces(tables: Tables, lost: set[int]) -> Counter[bytes]:
    kept = [row for row in range(tables.traces.num_rows) if row not in lost]
    return stored_spans(traces_of(tables, np.array(kept, np.intp)))


def all_of(parts: Sequence[Tables]) -> Counter[bytes]:
    return sum((stored_spans(part) for part in parts), start=Counter())


def tables_of(folder: Path) -> Tables:
    """Forty traces, each of five spans with an event each, in four groups of spans."""
    tables = decode([request(seed, traces=10, spans=5) for seed in range(4)])
    write_block(tables, folder)
    return tables


def traces_with(tables: Tables, spans: range) -> set[int]:
    return {tables.spans.column("trace")[span].as_py() for span in spans if span < tables.spans.num_rows}


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("groups", [[0], [1], [3], [1, 2], [0, 3]])
@pytest.mark.parametrize("table", ["spans", "events"])
def test_traces_without_damage_are_saved(tmp_path: Path, table: str, groups: list[int]) -> None:
    tables = tables_of(tmp_path / "block")
    lost: set[int] = set()
    for group in groups:
        rot(tmp_path / "block" / f"{table}.parquet", group)
        lost |= traces_with(tables, range(group * GROUP, group * GROUP + GROUP))
        if table == "events":  # what is between the neighbours' spans could have had them
            around = range(max(0, group * GROUP - 1), group * GROUP + GROUP + 1)
            lost |= traces_with(tables, around)
    parts = list(salvaged(BlockSource(tmp_path / "block")))
    assert all_of(parts) == whole_traces(tables, lost)
    assert max((part.spans.num_rows for part in parts), default=0) <= 150


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("table", ["traces", "resources", "scopes"])
def test_without_what_all_need_nothing_is_saved(tmp_path: Path, table: str) -> None:
    tables_of(tmp_path / "block")
    rot(tmp_path / "block" / f"{table}.parquet", 0)
    with pytest.raises(READ_ERRORS):
        list(salvaged(BlockSource(tmp_path / "block")))


@settings(max_examples=30, deadline=None)
@given(st.lists(REQUESTS, min_size=1, max_size=3), st.sampled_from([1, 3, 512]), st.integers(1, 4))
def test_of_a_whole_block_everything_is_saved(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[bytes], columns: int, at_once: int
) -> None:
    folder = tmp_path_factory.mktemp("whole") / "block"
    tables = decode(bodies, columns)
    write_block(tables, folder)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(salvage, "SPANS_AT_ONCE", at_once)
        parts = list(salvaged(BlockSource(folder)))
    assert all_of(parts) == stored_spans(tables)


@pytest.mark.usefixtures("small_groups")
def test_whatever_rots_only_whole_traces_are_saved(tmp_path: Path) -> None:
    randomness = random.Random(5)  # noqa: S311 - not for secrets
    for number in range(12):
        folder = tmp_path / str(number)
        tables = tables_of(folder)
        path = folder / f"{randomness.choice(['spans', 'events', 'traces', 'resources'])}.parquet"
        contents = bytearray(path.read_bytes())
        for _ in range(randomness.randint(1, 4)):
            contents[randomness.randrange(4, len(contents) * 2 // 3)] ^= 0xFF
        path.write_bytes(contents)
        try:
            parts = list(salvaged(BlockSource(folder)))
        except READ_ERRORS:
            continue
        saved = {identity for part in parts for identity in zip(*ids(part), strict=True)}
        lost = {row for row, identity in enumerate(zip(*ids(tables), strict=True)) if identity not in saved}
        assert all_of(parts) == whole_traces(tables, lost)


def ids(tables: Tables) -> tuple[list[int], list[int]]:
    return tables.traces.column("trace_hi").to_pylist(), tables.traces.column("trace_lo").to_pylist()
