"""A real S3 server for the tests of this folder: skipped, with the reason, where it cannot be built."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.backend.store.storage.server import NoServer, S3Server, server_program


@pytest.fixture(scope="session")
def program() -> Path:
    """The server's program."""
    try:
        return server_program()
    except NoServer as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def shared_server(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One server for all tests that do not stop it."""
    server = S3Server(program, tmp_path_factory.mktemp("s3") / "buckets")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nothing in the environment says where an object store is."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture
def server(shared_server: S3Server, no_aws: pytest.MonkeyPatch) -> S3Server:
    """The server, which the environment names."""
    for name, value in shared_server.environment().items():
        no_aws.setenv(name, value)
    return shared_server


@pytest.fixture
def bucket(server: S3Server) -> Path:
    """The folder of a new bucket."""
    return server.bucket(f"bucket-{uuid.uuid4().hex[:12]}")
