"""A block that rotted while nobody looked is told of and set aside, and all else goes on."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.backend.serve.server import PATIENCE_S, Load, Server, present, sent_span_ids, stored_span_ids

from vivace.backend.store.manifest import read_manifest
from vivace.backend.store.unit import UnitInfo, UnitKind
from vivace.errors import ExitCode


def blocks(root: Path) -> list[UnitInfo]:
    return [unit for unit in read_manifest(root / "manifest.json").units if unit.kind is UnitKind.BLOCK]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def search(server: Server) -> None:
    """A search that reads the names of all spans."""
    url = f"http://{server.addresses.http}/api/search?q=%7Bname%3D%22nothing%22%7D"
    with closing(urllib.request.urlopen(url, timeout=PATIENCE_S)) as answer:
        assert answer.status == 200


def rot(path: Path) -> None:
    """Up to the names of spans, which a search reads."""
    group = pq.ParquetFile(path).metadata.row_group(0)
    names = next(column for column in map(group.column, range(group.num_columns)) if column.path_in_schema == "name")
    contents = bytearray(path.read_bytes())
    end = names.data_page_offset + names.total_compressed_size // 2
    contents[100:end] = bytes(end - 100)
    path.write_bytes(contents)


@pytest.mark.timeout(200)
def test_a_block_that_rotted_is_set_aside_while_all_else_goes_on(tmp_path: Path) -> None:
    with closing(Server(tmp_path, hasty=True)) as server:
        load = Load(server.addresses.otlp_grpc, first_seed=0, body=present)
        until(lambda: len(blocks(tmp_path)) > 1)  # too few to be compacted
        load.stop()
        assert server.stop() == ExitCode.PASS
    rotten = blocks(tmp_path)[0]
    path = tmp_path / "blocks" / rotten.id / "spans.parquet"
    rot(path)
    with closing(Server(tmp_path)) as server:
        search(server)
        until(lambda: rotten not in blocks(tmp_path))
        search(server)
        more = Load(server.addresses.otlp_grpc, first_seed=1 << 30, body=present)
        time.sleep(0.3)
        more.stop()
        assert server.stop() == ExitCode.PASS
        output = server.output()
    assert more.acknowledged
    assert more.unknown == []
    sent = sent_span_ids(load.acknowledged + more.acknowledged)
    lost = sum((sent - stored_span_ids(tmp_path)).values())
    assert 0 < lost <= rotten.spans
    assert f"{lost} spans are lost, {rotten.spans - lost} could be saved" in output
    assert (tmp_path / "damaged" / rotten.id / "spans.parquet").exists()
    assert "Traceback" not in output
