"""Blocks that are in an object store are fetched to be compacted, and the store knows what replaced them."""

from __future__ import annotations

import shutil
from collections import Counter
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
from tests.backend.store.storage.server import Relay, S3Server

from vivace.backend.compact import compactor as compactor_module
from vivace.backend.compact.compactor import Compactor
from vivace.backend.compact.figures import CompactorFigures
from vivace.backend.store import holdings, takeover
from vivace.backend.store.patience import REFUSALS
from vivace.backend.store.storage.interface import Storage
from vivace.backend.store.storage.opening import open_storage
from vivace.backend.store.storage.settings import StorageSettings
from vivace.backend.store.unit import UnitInfo

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


@pytest.fixture
def relay(shared_server: S3Server, bucket: Path, no_aws: pytest.MonkeyPatch) -> Iterator[Relay]:  # noqa: F811
    """The way to the server."""
    one = Relay(shared_server.port)
    for name, value in shared_server.environment(one.port).items():
        no_aws.setenv(name, value)
    yield one
    one.close()


class Distant:
    """A compactor whose every block is fetched, by a clock that the test sets."""

    def __init__(self, data: Data, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.data = data
        self.now = 0.0
        self.reports: list[str] = []
        self.figures = CompactorFigures()
        monkeypatch.setattr(compactor_module, "monotonic", lambda: self.now)
        self.indexer = data.indexer(AT_ONCE, storage)
        self.compactor = Compactor(data.folder, storage, self.figures, self.reports.append, lambda _: 0.0)

    def blocks(self, tenant: str, count: int = 3) -> list[UnitInfo]:
        for _ in range(count):
            self.data.arrive(1, tenant)
            until(lambda: not self.indexer.step() and {unit.kind for unit in self.data.units()} == {"block"})
        units = [unit for unit in self.data.units() if unit.tenant == tenant]
        for unit in units:
            shutil.rmtree(self.data.folder.block(unit.id), ignore_errors=True)
        return units

    def steps(self, seconds: float) -> Counter[str]:
        """Goes on for so long; how many blocks tenants have then."""
        for _ in range(int(seconds)):
            self.now += 1
            self.compactor.step()
            until(lambda: not self.indexer.step() and not self.compactor.waiting)
        return Counter(unit.tenant for unit in self.data.units())

    @property
    def errors(self) -> float | None:
        return self.figures.registry.get_sample_value("tempodb_compaction_errors_total")


@pytest.fixture
def distant(
    bucket: Path,  # noqa: F811
    data: Data,
    monkeypatch: pytest.MonkeyPatch,
    relay: Relay,
) -> Distant:
    return Distant(data, opened(bucket, data), monkeypatch)


def test_a_block_that_is_refused_holds_up_no_others(data: Data, relay: Relay, distant: Distant) -> None:
    refused = distant.blocks("a")[0]
    distant.blocks("b")
    relay.refused = {f"{refused.id}/spans"}
    assert distant.steps(1) == {"a": 3, "b": 1}
    assert distant.steps(1) == {"a": 2, "b": 1}  # the others of the tenant
    for tenant in "cde":
        distant.blocks(tenant)
        assert distant.steps(1)[tenant] == 1
    distant.blocks("a", 2)
    assert distant.steps(1000)["a"] == 2
    assert distant.errors is not None
    assert 3 <= distant.errors <= 6  # after 30 s, 60 s and so on
    assert len(distant.reports) == distant.errors
    assert all(f"block {refused.id} cannot be fetched: " in report for report in distant.reports)
    assert "refused with status 403" in distant.reports[0]
    assert distant.reports[0].endswith("it is not compacted, and tried again in 30s")
    relay.refused = set()
    assert distant.steps(1000) == dict.fromkeys("abcde", 1)
    distant.indexer.close()
    assert data.visible() == sent_spans(data.sent)


def test_many_blocks_that_are_refused_hold_up_others_for_a_while_alone(relay: Relay, distant: Distant) -> None:
    relay.refused = {f"{distant.blocks(tenant)[0].id}/spans" for tenant in "abc"}
    distant.blocks("d")
    assert distant.steps(100) == {"a": 2, "b": 2, "c": 2, "d": 1}
    distant.indexer.close()


def test_an_object_store_that_refuses_all_is_left_alone_for_a_while(
    bucket: Path,  # noqa: F811
    relay: Relay,
    distant: Distant,
) -> None:
    for tenant in "abcdef":
        distant.blocks(tenant)
    relay.refused = {bucket.name}
    assert distant.steps(10) == dict.fromkeys("abcdef", 3)
    assert distant.errors == REFUSALS
    assert "neither compacted nor let go" in distant.reports[-1]
    said = len(distant.reports)
    distant.steps(100)
    assert len(distant.reports) == said
    relay.refused = set()
    assert distant.steps(1000) == dict.fromkeys("abcdef", 1)
    assert "blocks are compacted again" in distant.reports[said:]
    distant.indexer.close()


def test_an_object_store_that_is_not_there_is_left_alone_at_once(
    bucket: Path,  # noqa: F811
    data: Data,
    relay: Relay,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage = open_storage(StorageSettings(f"s3://{bucket.name}/prod", patience_s=0.5), data.folder)
    distant = Distant(data, storage, monkeypatch)
    for tenant in "ab":
        distant.blocks(tenant)
    relay.close()
    assert distant.steps(10) == dict.fromkeys("ab", 3)
    assert distant.errors == 1
    (report,) = distant.reports
    assert "neither compacted nor let go" in report
    assert "cannot be reached" in report
    distant.indexer.close()
