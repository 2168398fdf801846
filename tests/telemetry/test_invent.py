from __future__ import annotations

import pytest

from vivace.telemetry.invent import invent
from vivace.telemetry.topology import Topology


def reached(topology: Topology) -> set[str]:
    found = {name for name, service in topology.services.items() if service.ingress}
    waiting = list(found)
    while waiting:
        service = topology.services[waiting.pop()]
        called = {*service.calls, *(consumer for topic in service.topics.values() for consumer in topic)} - found
        found |= called
        waiting += called
    return found


@pytest.mark.parametrize("count", [1, 2, 5, 40, 300])
@pytest.mark.parametrize("seed", [1, 2])
def test_every_service_is_reached(count: int, seed: int) -> None:
    topology = invent(count, [], [], seed)
    assert len(topology.services) == count
    assert reached(topology) == set(topology.services)


def test_names_come_first_and_the_first_is_the_entry() -> None:
    topology = invent(5, ["api", "db", "Cache Layer"], [], 1)
    assert list(topology.services) == ["api", "db", "Cache Layer", "service-4", "service-5"]
    assert [name for name, service in topology.services.items() if service.ingress] == ["api"]


def test_several_entries() -> None:
    topology = invent(3, ["a", "b", "c"], ["c", "a"], 1)
    assert {name for name, service in topology.services.items() if service.ingress} == {"a", "c"}
    assert reached(topology) == {"a", "b", "c"}


def test_nobody_calls_in_circles() -> None:
    topology = invent(60, [], [], 3)
    order = list(topology.services)
    assert all(order.index(callee) > order.index(name) for name in order for callee in topology.services[name].calls)


def test_the_same_seed_invents_the_same() -> None:
    assert invent(20, [], [], 4) == invent(20, [], [], 4) != invent(20, [], [], 5)
