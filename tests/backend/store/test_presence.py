from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.backend.store.sample import request

from vivace.backend.store import block
from vivace.backend.store.block import BlockSource, write_block
from vivace.backend.store.decode import decode
from vivace.backend.store.presence import STRIDE, Presence

ROWS = 12 * STRIDE


@given(
    st.lists(st.integers(0, ROWS - 1), max_size=6),
    st.integers(0, ROWS - 1),
    st.integers(1, ROWS),
)
@settings(max_examples=60, deadline=None)
def test_a_column_with_a_value_is_never_left_out(having: list[int], first: int, count: int) -> None:
    count = min(count, ROWS - first)
    rare = pa.array([1 if row in having else None for row in range(ROWS)], pa.int64())
    batch = pa.RecordBatch.from_arrays([rare, pa.array(range(ROWS))], names=["rare", "always"])
    presence = Presence.decode(Presence.of(batch).encode(), 2)
    names = presence.within(["rare", "always"], first, count)
    assert names[-1] == "always"
    if rare.slice(first, count).null_count < count:
        assert names == ["rare", "always"]
    if not any(first // STRIDE <= row // STRIDE <= (first + count - 1) // STRIDE for row in having):
        assert names == ["always"]


def test_a_block_reads_only_what_has_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block, "ROW_GROUP", 64)
    tables = decode([request(1, traces=40)])
    rare = pa.array(["x"] + [None] * (tables.spans.num_rows - 1)).dictionary_encode()
    place = tables.spans.schema.get_field_index("span.user:str")
    spans = tables.spans.set_column(place, "span.user:str", rare)
    write_block(type(tables)(**{**dict(tables.items()), "spans": spans}), tmp_path / "one")
    source = BlockSource(tmp_path / "one")
    assert "span.user:str" in source.filled("spans", 0, 5).schema.names
    later = source.filled("spans", 120, 20)
    assert "span.user:str" not in later.schema.names
    expected = spans.select(later.schema.names).slice(120, 20)
    assert later.to_pylist() == expected.to_pylist()
