"""Blocks in a real object store: a query fetches those of its window alone."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path

import pytest
from tests.backend.query.samples import NOW, SECOND, request, span, store
from tests.backend.store.storage.server import NoServer, S3Server, server_program

from vivace.backend.query.known_traces import KnownTraces
from vivace.backend.query.parameters import search_parameters
from vivace.backend.query.queriers import Queriers
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.manifest import read_manifest
from vivace.backend.store.storage.opening import open_storage
from vivace.backend.store.storage.settings import StorageSettings
from vivace.backend.store.store import Store
from vivace.backend.store.unit import UnitKind

pytestmark = pytest.mark.timeout(400)  # the server may have to be built first


def found(settings: StorageSettings, root: Path, start_s: int, end_s: int) -> list[str]:
    """The traces of a window, as a querier that has just started finds them."""
    querier = Queriers(Store(root, storage=settings).snapshot, known=KnownTraces(root / "traces")).reading(None).querier
    window = {"start": str(NOW // SECOND + start_s), "end": str(NOW // SECOND + end_s)}
    answer = json.dumps(querier.search(search_parameters({"q": "{ }", **window}, NOW), lambda: None))
    return [trace["traceID"] for trace in json.loads(answer)["traces"]]


def test_a_query_fetches_the_blocks_of_its_window_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        server = S3Server(server_program(), tmp_path / "buckets")
    except NoServer as error:
        pytest.skip(str(error))
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    server.start()
    try:
        server.bucket("traces")
        settings, root = StorageSettings(f"s3://traces/{uuid.uuid4().hex}"), tmp_path / "data"
        for at in (0, 1000, 2000):
            store(root, [request(span(at + 1, 1, at_s=at))], kind=UnitKind.BLOCK)
        folder = DataFolder(root)
        storage = open_storage(settings, folder)
        storage.claim()
        for unit in read_manifest(folder.manifest).units:
            storage.put(unit)
        assert found(settings, root, 900, 1100) == [f"{1001:x}"]
        shutil.rmtree(folder.blocks)
        folder.blocks.mkdir()
        assert found(settings, root, 900, 1100) == [f"{1001:x}"]
        assert [path.name for path in folder.blocks.iterdir() if path.is_dir()] == ["unit-1"]
    finally:
        server.stop()
