"""Blocks that are in an object store are fetched to be compacted, and the store knows what replaced them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.backend.store.data import AT_ONCE, Data, until
from tests.backend.store.rebuild import sent_spans
from tests.backend.store.storage.conftest import (  # noqa: F401 - fixtures
    bucket,
    no_aws,
    program,
    server,
    shared_server,
)

from vivace.backend.compact.compactor import Compactor
from vivace.backend.compact.figures import CompactorFigures
from vivace.backend.store import holdings, takeover
from vivace.backend.store.storage.interface import Storage
from vivace.backend.store.storage.opening import open_storage
from vivace.backend.store.storage.settings import StorageSettings

pytestmark = pytest.mark.timeout(400)  # the server may have to be built first


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Data]:
    monkeypatch.setattr(takeover, "PERIOD_SECONDS", 0)
    monkeypatch.setattr(holdings, "LINGER_SECONDS", 0)
    one = Data(tmp_path / "data")
    yield one
    one.writer.close()


def opened(bucket: Path, data: Data, *, adopt: bool = False) -> Storage:  # noqa: F811
    return open_storage(StorageSettings(f"s3://{bucket.name}/prod", adopt=adopt), data.folder)


def test_blocks_are_fetched_and_replaced(bucket: Path, data: Data, tmp_path: Path) -> None:  # noqa: F811
    indexer = data.indexer(AT_ONCE, opened(bucket, data))
    for _ in range(3):
        data.arrive()
        until(lambda: not indexer.step() and {unit.kind for unit in data.units()} == {"block"})
    for unit in data.units():
        shutil.rmtree(data.folder.block(unit.id))
    reports: list[str] = []
    compactor = Compactor(data.folder, opened(bucket, data), CompactorFigures(), reports.append, lambda _: 0.0)
    assert compactor.step()
    until(lambda: not indexer.step() and not compactor.waiting)
    (unit,) = data.units()
    stored = bucket / "prod" / unit.tenant
    until(lambda: not indexer.step() and [path.name for path in stored.iterdir()] == [unit.id])
    indexer.close()
    assert data.visible() == sent_spans(data.sent)

    other = Data(tmp_path / "other")
    other.indexer(storage=opened(bucket, other, adopt=True)).close()
    assert other.units() == (unit,)
    other.writer.close()
    assert reports == data.reports == []
