"""What the processes were told in files is looked at again while they run."""

from __future__ import annotations

import signal
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.backend.serve.server import Load, Server, in_blocks, past

from vivace.backend.followed import LOOK_SECONDS
from vivace.backend.serve.settings import ServeSettings
from vivace.backend.serve.supervisor import Backend
from vivace.backend.store.manifest import read_manifest

FREE = "127.0.0.1:0"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_bad_file_of_limits_is_reported_once_though_nobody_asks(tmp_path: Path) -> None:
    limits, log = tmp_path / "limits.yaml", tmp_path / "log"
    limits.write_text("defaults: {read: {max_query_time: 30s}}")
    backend = Backend(ServeSettings(tmp_path / "data", FREE, FREE, FREE, limits=limits), log)

    def shown() -> str:
        url = f"http://{backend.addresses.http}/status/overrides"
        with closing(urllib.request.urlopen(url, timeout=20)) as answer:
            return str(answer.read().decode())

    backend.start()
    try:
        limits.write_text("defaults: {read: {max_query_time: much}}")
        until(lambda: "stay as they were" in log.read_text())
        assert "max_query_time: 30s" in shown()
        time.sleep(3 * LOOK_SECONDS)
        limits.write_text("defaults: {read: {max_query_time: 20s}}")
        until(lambda: "max_query_time: 20s" in shown())
    finally:
        backend.stop()
    assert log.read_text().count("stay as they were") == 1


def test_a_retention_that_is_set_later_is_followed(tmp_path: Path) -> None:
    limits, data = tmp_path / "limits.yaml", tmp_path / "data"
    limits.write_text("defaults: {}")
    with closing(Server(data, ["--limits", str(limits)], hasty=True)) as server:
        load = Load(server.addresses.otlp_grpc, 0, 1, body=past)
        until(lambda: len(load.acknowledged) > 10)
        load.stop()
        until(lambda: in_blocks(data))
        assert read_manifest(data / "manifest.json").units
        limits.write_text("defaults: {compaction: {block_retention: 24h}}")
        until(lambda: not read_manifest(data / "manifest.json").units)
        assert server.stop(signal.SIGTERM) == 0
