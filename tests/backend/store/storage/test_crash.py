"""An indexer and a compactor over an object store, killed at random instants: nothing is lost or shown twice.

What is in the bucket alone, as after the loss of the machine, holds every span of a block once as well.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.backend.store.data import Data, until
from tests.backend.store.rebuild import sent_spans
from tests.backend.store.storage.blocks import data_folder
from tests.backend.store.storage.server import Relay, S3Server
from tests.backend.store.test_store import spans_of

from vivace.backend.compact.compactor import Compactor
from vivace.backend.compact.figures import CompactorFigures
from vivace.backend.compact.plan import CompactionSettings
from vivace.backend.store.manifest import Manifest, write_manifest
from vivace.backend.store.plan import Sizes
from vivace.backend.store.storage.opening import open_storage
from vivace.backend.store.storage.settings import StorageSettings
from vivace.backend.store.store import Store
from vivace.backend.store.unit import UnitKind

pytestmark = pytest.mark.timeout(400)  # the server may have to be built first

ROUNDS = 6
COMPACTION = CompactionSettings(least_inputs=2, block_spans=10_000)
SIZES = Sizes(block_spans=60, small_segment_spans=20, small_segments=2)
WORK = f"""
import pathlib, sys
from vivace.backend.compact.compactor import Compactor
from vivace.backend.compact.figures import CompactorFigures
from vivace.backend.compact.plan import CompactionSettings
from vivace.backend.store import holdings, takeover
from vivace.backend.store.folder import DataFolder
from vivace.backend.store.indexer import Indexer
from vivace.backend.store.indexer_figures import IndexerFigures
from vivace.backend.store.plan import Sizes
from vivace.backend.store.storage.opening import open_storage
from vivace.backend.store.storage.settings import StorageSettings

print("begins", flush=True)
holdings.LINGER_SECONDS = takeover.PERIOD_SECONDS = 0.0
folder = DataFolder(pathlib.Path(sys.argv[1]))
storage = open_storage(StorageSettings(sys.argv[2]), folder)
indexer = Indexer(folder, IndexerFigures(), print, {SIZES}, storage=storage)
compactor = Compactor(folder, storage, CompactorFigures(), print, lambda _: 0.0, settings={COMPACTION})
while True:
    indexer.step()
    compactor.step()
"""


def test_nothing_is_lost_or_doubled_when_all_is_killed(server: S3Server, bucket: Path, tmp_path: Path) -> None:
    randomness = random.Random(11)  # noqa: S311 - not for secrets
    where = StorageSettings(f"s3://{bucket.name}/prod")
    data = Data(tmp_path / "data")
    killed_midway = 0
    for number in range(ROUNDS):
        data.arrive(10)
        relay = Relay(server.port, changes=randomness.randrange(22))
        arguments = [sys.executable, "-c", WORK, str(data.folder.root), where.where or ""]
        environment = {**os.environ, **server.environment(relay.port)}
        with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            killed_midway += relay.holds.wait(2)
            assert process.poll() is None
            process.kill()
        relay.close()
        units = Store(data.folder.root, storage=where).snapshot()
        in_blocks = spans_of(tuple(unit for unit in units if unit.info.kind is UnitKind.BLOCK))
        alone = without_the_machine(bucket, tmp_path / f"other-{number}")
        assert in_blocks <= alone <= sent_spans(data.sent)
    data.writer.close()
    storage = open_storage(where, data.folder)
    indexer = data.indexer(SIZES, storage)
    compactor = Compactor(data.folder, storage, CompactorFigures(), print, lambda _: 0.0, settings=COMPACTION)
    until(
        lambda: (
            not indexer.step()
            and not compactor.step()
            and not compactor.waiting
            and data.kinds()[UnitKind.SEGMENT] == 0
        )
    )
    indexer.close()
    assert spans_of(Store(data.folder.root, storage=where).snapshot()) == sent_spans(data.sent)
    assert without_the_machine(bucket, tmp_path / "last") == sent_spans(data.sent)
    assert killed_midway, "none was killed while it changed the bucket"


def without_the_machine(bucket: Path, root: Path) -> Counter[bytes]:
    """The spans that an empty data folder finds in a copy of the bucket."""
    copy = bucket.with_name(f"{bucket.name}-{root.name}")
    shutil.copytree(bucket, copy)
    where = StorageSettings(f"s3://{copy.name}/prod", adopt=True)
    folder = data_folder(root)
    storage = open_storage(where, folder)
    storage.claim()
    write_manifest(Manifest(units=storage.restored()), folder.manifest)
    return spans_of(Store(root, storage=where).snapshot())
