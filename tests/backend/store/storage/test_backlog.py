"""Blocks that an object store has not got yet."""

from __future__ import annotations

from time import sleep

import pytest
from prometheus_client import CollectorRegistry

from vivace.backend.store.storage import backlog
from vivace.backend.store.storage.backlog import Backlog
from vivace.backend.store.storage.figures import StorageFigures
from vivace.backend.store.unit import UnitInfo, UnitKind
from vivace.errors import TargetError

UNITS = [UnitInfo(str(number), UnitKind.BLOCK, 1, 1, 0, 1, 10) for number in range(4)]


def left(registry: CollectorRegistry) -> float | None:
    return registry.get_sample_value("vivace_storage_backlog_blocks", {"process": "indexer"})


def test_what_is_wanted_is_put_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "RETRY_SECONDS", 0.01)
    registry = CollectorRegistry()
    wanted = {unit.id for unit in UNITS} - {"1"}
    done: list[str] = []
    failures = ["0", "2", "2"]

    def put(unit: UnitInfo) -> None:
        if failures and failures[0] == unit.id:
            failures.pop(0)
            raise OSError("out of reach")
        done.append(f"put {unit.id}")
        wanted.discard("3")  # replaced while it was put

    figures = StorageFigures(registry, "indexer")
    Backlog(put, lambda unit: done.append(f"remove {unit.id}"), lambda unit: unit.id in wanted, figures).begin(
        UNITS[:3]
    )
    while left(registry) != 0:
        sleep(0.01)
    assert done == ["put 0", "put 2"]
    wanted.add("3")
    Backlog(put, lambda unit: done.append(f"remove {unit.id}"), lambda unit: unit.id in wanted, figures).begin(
        UNITS[3:]
    )
    while left(registry) != 0:
        sleep(0.01)
    assert done[2:] == ["put 3", "remove 3"]


def test_it_ends_when_the_prefix_is_not_ours_any_more() -> None:
    registry = CollectorRegistry()
    tried: list[str] = []

    def put(unit: UnitInfo) -> None:
        tried.append(unit.id)
        raise TargetError("taken over")

    Backlog(put, lambda _: None, lambda _: True, StorageFigures(registry, "indexer")).begin(UNITS)
    sleep(0.1)
    assert tried == ["0"]
    assert left(registry) == 4
