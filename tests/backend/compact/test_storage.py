"""Blocks that are in an object store are fetched to be compacted, and the store knows what replaced them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.backend.store.data import AT_ONCE, Data, until
from tests.backend.store.rebuild import sent_spans
from tests.backend.store.sample import at
from tests.backend.store.storage.conftest import (  # noqa: F401 - fixtures
    bucket,
    no_aws,
    program,
    server,
    shared_server,
)

from vivace.backend.compact import compactor as compactor_module
from vivace.backend.compact.compactor import Compactor
from vivace.backend.compact.figures import CompactorFigures
from vivace.backend.store import holdings, takeover
from vivace.backend.store.storage.interface import Storage
from vivace.backend.store.storage.opening import open_storage
from vivace.backend.store.storage.settings import StorageSettings

pytestmark = pytest.mark.timeout(400)  # the server may have to be built first

HOUR = 3600 * 10**9
ARRIVED = 472_222 * HOUR


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


def test_spans_of_another_time_are_kept_from_when_they_arrived_after_a_takeover(
    bucket: Path,  # noqa: F811
    data: Data,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data.clock = lambda: ARRIVED
    indexer = data.indexer(AT_ONCE, opened(bucket, data))
    for seed, time_ns in enumerate((0, ARRIVED - 48 * HOUR, ARRIVED + 48 * HOUR)):
        data.take(at(seed, time_ns))
    until(lambda: not indexer.step() and [unit.kind for unit in data.units()] == ["block"] * 3)
    indexer.close()

    other = Data(tmp_path / "other")
    indexer = other.indexer(storage=opened(bucket, other, adopt=True))
    compactor = Compactor(
        other.folder, opened(bucket, other), CompactorFigures(), other.reports.append, lambda _: 24 * 3600.0
    )
    monkeypatch.setattr(compactor_module, "time_ns", lambda: ARRIVED + 24 * HOUR)
    assert not compactor.step()
    assert {unit.arrived_ns for unit in other.units()} == {ARRIVED}
    assert len(other.units()) == 3
    monkeypatch.setattr(compactor_module, "time_ns", lambda: ARRIVED + 24 * HOUR + 1)
    assert compactor.step()
    until(lambda: not indexer.step() and other.units() == ())
    indexer.close()
    other.writer.close()
