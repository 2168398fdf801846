"""Blocks in a real object store: processes end at any instant, then the data folder is lost, and no block is."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from secrets import randbits

import pytest
from tests.backend.serve.server import PATIENCE_S, Load, Server, in_blocks, present, sent_span_ids, stored_span_ids
from tests.backend.store.storage.server import NoServer, S3Server, server_program

from vivace.backend.store.storage.settings import StorageSettings
from vivace.errors import ExitCode

ROUNDS = 2


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an empty place in a bucket."""
    try:
        server = S3Server(server_program(), tmp_path / "buckets")
    except NoServer as error:
        pytest.skip(str(error))
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    server.start()
    server.bucket("traces")
    yield "s3://traces/tests"
    server.stop()


@pytest.mark.timeout(600)
def test_blocks_outlive_processes_and_the_data_folder(tmp_path: Path, bucket: str) -> None:
    seed = randbits(32)
    print(f"seed {seed}")  # noqa: T201 - to do the same again
    randomness = random.Random(seed)  # noqa: S311 - not for secrets
    root, flags = tmp_path / "data", ["--storage", bucket]
    acknowledged: list[int] = []
    unknown: list[int] = []
    for number in range(ROUNDS):
        with closing(Server(root, flags, hasty=True)) as server:
            load = Load(server.addresses.otlp_grpc, first_seed=number << 20, body=present)
            time.sleep(randomness.uniform(0.3, 2.0))
            server.kill("all")
            server.wait()
            load.stop()
        acknowledged += load.acknowledged
        unknown += load.unknown
    with closing(Server(root, flags, hasty=True)) as server:
        deadline = time.monotonic() + PATIENCE_S
        while not in_blocks(root):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert server.stop() == ExitCode.PASS
    shutil.rmtree(root)
    with closing(Server(root, [*flags, "--storage-adopt"])) as server:
        stored = stored_span_ids(root, storage=StorageSettings(bucket))
        assert server.stop() == ExitCode.PASS
        assert "blocks found in storage" in server.output()
    assert sent_span_ids(acknowledged) <= stored
    assert stored <= sent_span_ids(acknowledged + unknown)
    assert max(stored.values()) == 1
