from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from tests.backend.store.rebuild import sent_spans, stored_spans
from tests.backend.store.sample import request

from vivace.backend.store.decode import decode
from vivace.backend.store.segment import read_segment, write_segment


def test_a_segment_holds_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "one.arrow"
    assert write_segment(decode([request(1)]), path) == path.stat().st_size
    assert stored_spans(read_segment(path)) == sent_spans([request(1)])
    assert [left.name for left in tmp_path.iterdir()] == ["one.arrow"]


def test_a_segment_stays_readable_after_its_file_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "one.arrow"
    write_segment(decode([request(1)]), path)
    tables = read_segment(path)
    path.unlink()
    assert stored_spans(tables) == sent_spans([request(1)])


@pytest.mark.parametrize("keep", [0, 100, -100])
def test_a_torn_segment_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "one.arrow"
    write_segment(decode([request(1)]), path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises((pa.ArrowInvalid, OSError)):
        read_segment(path)
