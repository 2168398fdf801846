from __future__ import annotations

import errno
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.backend.store.rebuild import distinct_spans, stored_spans
from tests.backend.store.sample import request
from tests.backend.store.strategies import REQUESTS

from vivace.backend.store import block
from vivace.backend.store.block import BlockSource, write_block
from vivace.backend.store.decode import decode


@given(st.lists(REQUESTS, max_size=2))
@settings(max_examples=25, deadline=None)
def test_a_block_holds_what_was_written(tmp_path_factory: pytest.TempPathFactory, requests: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("blocks") / "one"
    write_block(decode(requests), folder)
    assert stored_spans(BlockSource(folder).tables()) == distinct_spans(requests)


def test_columns_and_rows_of_several_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block, "ROW_GROUP", 7)
    tables = decode([request(1, traces=5)])
    size = write_block(tables, tmp_path / "one")
    assert size == sum(path.stat().st_size for path in (tmp_path / "one").iterdir())
    monkeypatch.setattr(block, "ROW_GROUP", 3)  # as another version may have it
    source = BlockSource(tmp_path / "one")
    assert source.names("spans") == tables.spans.schema.names
    assert source.rows("spans") == 25
    for name in source.names("spans"):
        assert source.column("spans", name).to_pylist() == tables.spans.column(name).to_pylist()
    for first, count in ((0, 25), (6, 2), (7, 7), (24, 1), (0, 0)):
        assert source.slice("spans", first, count).to_pylist() == tables.spans.slice(first, count).to_pylist()


def test_a_block_of_the_same_name_that_was_not_finished_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "one.tmp").mkdir()
    (tmp_path / "one.tmp" / "spans.parquet").write_bytes(b"torn")
    write_block(decode([request(1)]), tmp_path / "one")
    assert [left.name for left in tmp_path.iterdir()] == ["one"]


def test_damage_is_noticed_when_it_is_read(tmp_path: Path) -> None:
    write_block(decode([request(1)]), tmp_path / "one")
    path = tmp_path / "one" / "spans.parquet"
    column = pq.read_metadata(path).row_group(0).column(1)
    contents = bytearray(path.read_bytes())
    contents[column.data_page_offset + column.total_compressed_size - 1] ^= 0xFF
    path.write_bytes(contents)
    with pytest.raises(OSError, match="CRC"):
        BlockSource(tmp_path / "one").tables()


def test_a_block_that_was_taken_away_is_fetched_and_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block, "USE_SECONDS", 0.0)
    folder, fetched = tmp_path / "one", []

    def fetch() -> None:
        if not folder.exists():
            fetched.append(folder)
            write_block(decode([request(len(fetched))]), folder)

    source = BlockSource(folder, fetch)
    for seed in (1, 2):
        assert stored_spans(source.tables()) == stored_spans(decode([request(seed)]))
        assert len(fetched) == seed
        folder.rename(tmp_path / f"aside-{seed}")
    fetch()  # by somebody else, before it was missed
    assert stored_spans(source.tables()) == stored_spans(decode([request(3)]))


def test_a_block_that_is_taken_away_again_and_again_is_given_up(tmp_path: Path) -> None:
    source = BlockSource(tmp_path / "one", lambda: None)
    with pytest.raises(OSError, match=r"was taken away 5 times .* keep more blocks locally") as error:
        source.names("spans")
    assert error.value.errno == errno.EBUSY
