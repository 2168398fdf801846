"""A data folder with a log being written, and the reports of indexers over it."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

from tests.backend.store.sample import SAMPLE_NS, request
from tests.backend.store.test_store import spans_of

from vivace.backend.store.flatten import flatten
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.indexer import Indexer
from vivace.backend.store.indexer_figures import IndexerFigures
from vivace.backend.store.log import Entry, LogWriter, payload_of
from vivace.backend.store.manifest import read_manifest
from vivace.backend.store.plan import Sizes
from vivace.backend.store.storage.interface import Storage
from vivace.backend.store.store import Store
from vivace.backend.store.unit import UnitInfo, UnitKind
from vivace.backend.tenant.identity import SINGLE_TENANT

NEVER = Sizes(block_spans=1 << 60, block_bytes=1 << 60, block_age_s=1e9, small_segments=1 << 30)
OFTEN = Sizes(block_spans=100, small_segment_spans=40, small_segments=3)
AT_ONCE = Sizes(block_age_s=0)


class Data:
    """What was sent, and what became of it."""

    def __init__(self, root: Path) -> None:
        self.folder = DataFolder(root)
        self.folder.create()
        self.writer = LogWriter(self.folder.log, file_bytes=1)
        self.sent_by: defaultdict[str, list[bytes]] = defaultdict(list)
        self.reports: list[str] = []
        self.figures = IndexerFigures()
        self.clock: Callable[[], int] = lambda: SAMPLE_NS
        """What says when something arrives: by default at the time of what sample requests hold."""

    @property
    def sent(self) -> list[bytes]:
        return [body for bodies in self.sent_by.values() for body in bodies]

    def arrive(self, requests: int = 1, tenant: str = SINGLE_TENANT) -> None:
        for _ in range(requests):
            self.take(request(len(self.sent)), tenant)

    def take(self, body: bytes, tenant: str = SINGLE_TENANT) -> None:
        self.sent_by[tenant].append(body)
        self.writer.append([Entry(tenant, payload_of(flatten([body])), 15, self.clock())])

    def indexer(self, sizes: Sizes = NEVER, storage: Storage | None = None) -> Indexer:
        return Indexer(self.folder, self.figures, self.reports.append, sizes, storage=storage)

    def blocks(self, requests: int, tenant: str = SINGLE_TENANT) -> list[UnitInfo]:
        """Requests that arrive, each cut to a block of its own."""
        indexer = self.indexer(AT_ONCE)
        before = {unit.id for unit in self.units()}
        for _ in range(requests):
            self.arrive(1, tenant)
            until(lambda: not indexer.step() and self.kinds()[UnitKind.SEGMENT] == 0)
        indexer.close()
        return [unit for unit in self.units() if unit.id not in before]

    def visible(self, *tenants: str) -> Counter[bytes]:
        return spans_of(Store(self.folder.root).snapshot(tenants or None))

    def units(self) -> tuple[UnitInfo, ...]:
        return read_manifest(self.folder.manifest).units

    def kinds(self) -> Counter[UnitKind]:
        return Counter(unit.kind for unit in self.units())


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
