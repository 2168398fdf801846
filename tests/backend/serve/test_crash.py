"""What is acknowledged survives any process being ended at any instant, is stored once, and stays its tenant's.

Meanwhile blocks are cut, compacted and let go all the time.
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from secrets import randbits
from typing import Final

import pytest
from tests.backend.serve.server import (
    PATIENCE_S,
    Load,
    Server,
    in_blocks,
    past,
    present,
    sent_span_ids,
    stored_span_ids,
)

from vivace.backend.store.manifest import read_manifest
from vivace.errors import ExitCode

CHILDREN: Final = ("receiver", "compactor", "indexer", "querier")
ENDS: Final = (*CHILDREN, "supervisor", "all", "all")
FOLDERS: Final = 2
ROUNDS: Final = 10
"""For each of the folders."""
LONGEST_S: Final = 1.2
"""So long a server is let live."""
LIMITS: Final = """
defaults: {compaction: {block_retention: 24h}}
overrides: {brief: {compaction: {block_retention: 1s}}}
"""
TENANTS: Final[Mapping[str, Callable[[int], bytes]]] = {"a": present, "b": present, "past": past, "brief": present}


class Sent:
    """What was sent to all servers of a folder, by tenant."""

    def __init__(self) -> None:
        self.acknowledged: Counter[tuple[str, int]] = Counter()
        self.unknown: Counter[tuple[str, int]] = Counter()

    def note(self, tenant: str, load: Load) -> None:
        self.acknowledged.update((tenant, seed) for seed in load.acknowledged)
        self.unknown.update((tenant, seed) for seed in load.unknown)

    def spans(self, tenant: str) -> tuple[Counter[int], Counter[int]]:
        """The acknowledged span IDs of a tenant, and all that can be stored."""
        acknowledged = sent_span_ids(_of(tenant, self.acknowledged))
        return acknowledged, acknowledged + sent_span_ids(_of(tenant, self.unknown))


def _of(tenant: str, seeds: Iterable[tuple[str, int]]) -> list[int]:
    return [seed for owner, seed in seeds if owner == tenant]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("folder", range(FOLDERS))
def test_nothing_acknowledged_is_lost_doubled_or_given_away_by_ends_at_any_instant(tmp_path: Path, folder: int) -> None:
    seed = randbits(32)
    print(f"seed {seed}")  # noqa: T201 - to do the same again
    randomness = random.Random(seed)  # noqa: S311 - not for secrets
    root, limits, sent = tmp_path / "data", tmp_path / "limits.yaml", Sent()
    limits.write_text(LIMITS)
    flags = ["--multitenancy", "--limits", str(limits)]
    for number in range(ROUNDS):
        if randomness.random() < 0.2:
            end_while_starting(root, flags, randomness)
        else:
            end_under_load(root, flags, randomness, sent, number)
    settle(root, flags)
    for tenant in TENANTS:
        acknowledged, possible = sent.spans(tenant)
        stored = stored_span_ids(root, tenant)
        assert acknowledged
        assert stored <= possible
        assert max(stored.values(), default=1) == 1
        assert tenant == "brief" or acknowledged <= stored
    assert compacted(root)


def end_while_starting(root: Path, flags: list[str], randomness: random.Random) -> None:
    with closing(Server(root, flags, hasty=True, await_ready=False)) as server:
        time.sleep(randomness.uniform(0.2, 2.0))
        server.kill("all")
        server.wait()


def end_under_load(root: Path, flags: list[str], randomness: random.Random, sent: Sent, number: int) -> None:
    role = randomness.choice(ENDS)
    how = randomness.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
    with closing(Server(root, flags, hasty=True)) as server:
        loads = {
            tenant: Load(server.addresses.otlp_grpc, (number << 24) + (place << 20), 1, tenant=tenant, body=body)
            for place, (tenant, body) in enumerate(TENANTS.items())
        }
        time.sleep(randomness.uniform(0.1, LONGEST_S))
        server.kill(role, how)
        code = server.wait()
        for tenant, load in loads.items():
            load.stop()
            sent.note(tenant, load)
        output = server.output()
    assert "Traceback" not in output
    assert "lost" not in output.replace("nothing acknowledged is lost", "")
    if role in CHILDREN:
        assert code == ExitCode.TARGET
        assert f"the {role} (process" in output


def settle(root: Path, flags: list[str]) -> None:
    """A last server, which ends in peace when the log is in blocks, some are compacted, and what is too old is gone."""
    with closing(Server(root, flags, hasty=True)) as server:
        deadline = time.monotonic() + PATIENCE_S
        while not (in_blocks(root) and compacted(root)):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert server.stop() == ExitCode.PASS
        assert "lost" not in server.output()


def compacted(root: Path) -> bool:
    units = read_manifest(root / "manifest.json").units
    return {unit.tenant for unit in units} == {*TENANTS} - {"brief"} and any(unit.level > 0 for unit in units)
