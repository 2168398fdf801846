"""The compactor process may be killed at any instant, and ends quickly when it is told to."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from tests.backend.store.data import AT_ONCE, Data, until
from tests.backend.store.rebuild import sent_spans

from vivace.backend.compact.plan import next_job
from vivace.backend.store.indexer import Indexer

ROUNDS = 10
SCRIPT = """
import pathlib, sys
from vivace.backend.compact import process
from vivace.backend.followed import follow
from vivace.backend.tenant.overrides import Overrides

limits = Overrides(pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None)
follow(limits.looks)
say = lambda *lines: print(*lines or ["ready"], flush=True)
process.TAKING_SECONDS = 0.01
process.run(pathlib.Path(sys.argv[1]), limits, say, say)
"""


class Process:
    """The compactor in a process of its own."""

    def __init__(self, root: Path, *limits: Path) -> None:
        arguments = [sys.executable, "-c", SCRIPT, str(root), *map(str, limits)]
        self._process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        self.pid = self._process.pid

    def close(self) -> None:
        """Ends it if it runs, at once."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def stop(self) -> tuple[int, str]:
        self._process.terminate()
        said, _ = self._process.communicate(timeout=20)
        return self._process.returncode, said


def compacting(data: Data, indexer: Indexer, seconds: float) -> None:
    """Takes up what is proposed, while new blocks come."""
    until_ = time.monotonic() + seconds
    while time.monotonic() < until_:
        if len(data.units()) < 4:
            data.arrive()
        indexer.step()
        time.sleep(0.005)


def test_nothing_is_lost_or_doubled_when_processes_are_killed(data: Data) -> None:
    chance = random.Random(3)  # noqa: S311 - instants, no secret
    data.blocks(8)
    for _ in range(ROUNDS):
        with closing(Process(data.folder.root)):
            indexer = data.indexer(AT_ONCE)  # the one before it ended without notice
            compacting(data, indexer, chance.uniform(0.01, 0.4))
        assert data.visible() == sent_spans(data.sent)
    with closing(Process(data.folder.root)) as process:
        indexer = data.indexer(AT_ONCE)
        until(lambda: not indexer.step() and next_job(data.units(), time.time_ns()) is None)
        until(lambda: not indexer.step() and not [*data.folder.proposals.iterdir()])
        assert process.stop() == (0, "")
        indexer.close()
    assert data.visible() == sent_spans(data.sent)
    assert len(data.units()) <= 5  # each much larger than those before it
    assert max(unit.level for unit in data.units()) >= 1
    assert data.reports == []


def test_it_ends_soon(data: Data) -> None:
    data.blocks(3)
    with closing(Process(data.folder.root)) as process:
        metrics = data.folder.metrics / "compactor.prom"
        until(lambda: metrics.exists() and "tempodb_compaction_outstanding_blocks" in metrics.read_text())
        assert process.stop() == (0, "")


def test_limits_are_followed_when_they_change(data: Data, tmp_path: Path) -> None:
    data.blocks(1, "a")
    data.blocks(1, "b")
    limits = tmp_path / "limits.json"
    limits.write_text("{}")
    with closing(Process(data.folder.root, limits)) as process:
        limits.write_text(json.dumps({"overrides": {"a": {"compaction": {"block_retention": "1h"}}}}))
        indexer = data.indexer()
        until(lambda: not indexer.step() and [unit.tenant for unit in data.units()] == ["b"])
        indexer.close()
        assert process.stop() == (0, "")
