from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from vivace.telemetry.catalogue import catalogue
from vivace.telemetry.operations import Shape
from vivace.telemetry.texts import addresses, decimal, joined, uuids
from vivace.telemetry.topology import Topology, shop
from vivace.telemetry.trees import grow

Document = dict[str, Any]


def document() -> Document:
    service = {
        "language": "go",
        "versions": ["1.0"],
        "instances": 1,
        "port": 80,
        "own_ms": 1,
        "endpoints": ["GET /"],
        "internal": ["work"],
    }
    front = service | {"ingress": 1, "calls": {"back": 1}}
    services = {"front": front, "back": dict(service)}
    return {"name": "n", "cluster": "c", "region": "r", "environment": "e", "services": services}


def test_the_shop_is_sound() -> None:
    services = shop().services
    assert 12 <= len(services) <= 20
    called = {callee for service in services.values() for callee in service.calls}
    consuming = {name for service in services.values() for topic in service.topics.values() for name in topic}
    assert {name for name, service in services.items() if not service.ingress} <= called | consuming


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"calls": {"nobody": 1}}, "services.front: calls nobody, which is not described"),
        ({"topics": {"t": ["nobody"]}}, "services.front: calls nobody, which is not described"),
        ({"ingress": 0}, "no service has an ingress above 0"),
        ({"language": "cobol"}, "services.front.language"),
        ({"endpoints": []}, "services.front.endpoints"),
        ({"own_ms": 0}, "services.front.own_ms"),
        ({"colour": "red"}, "services.front.colour"),
    ],
)
def test_refuses_a_topology_that_cannot_be(change: Document, message: str) -> None:
    topology = document()
    topology["services"]["front"] |= change
    with pytest.raises(ValidationError, match=re.escape(message)):
        Topology.model_validate(topology)


def test_trees_have_exactly_the_sizes_asked_for() -> None:
    sizes = np.array([1, 2, 3, 40, 7])
    trees = grow(catalogue(Topology.model_validate(document())), sizes, np.random.default_rng(1))
    assert np.bincount(trees.trace).tolist() == sizes.tolist()
    assert (trees.parent < np.arange(len(trees))).all()
    inner = trees.parent >= 0
    assert np.array_equal(trees.depth[inner], trees.depth[trees.parent[inner]] + 1)
    assert np.array_equal(trees.trace[inner], trees.trace[trees.parent[inner]])


def test_where_a_trace_ends_a_call_still_has_its_server() -> None:
    tables = catalogue(shop())
    trees = grow(tables, np.full(300, 9), np.random.default_rng(2))
    shape = tables.shape[trees.operation]
    servers = np.flatnonzero(((shape == Shape.RPC_SERVER) | (shape == Shape.CONSUMER)) & (trees.parent >= 0))
    assert np.array_equal(trees.parent[servers], servers - 1)
    assert np.count_nonzero(shape == Shape.RPC_CLIENT) == np.count_nonzero(shape == Shape.RPC_SERVER)


def test_texts() -> None:
    random = np.random.default_rng(3)
    uuid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    made = uuids(random, 200).to_pylist()
    assert all(uuid.fullmatch(text) for text in made)
    assert len(set(made)) == 200
    for address in addresses(random, 50).to_pylist():
        assert 77 <= int(address.split(".")[0]) <= 95
        assert all(0 < int(part) < 255 for part in address.split("."))
    assert joined(decimal(np.array([1, 20])), decimal(np.array([3, 4]))).to_pylist() == ["13", "204"]
