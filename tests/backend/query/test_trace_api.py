"""The endpoints that give one trace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from tests.backend.query.samples import request, span, store
from tests.backend.query.served import Server, serving

from vivace.backend.store.unit import UnitKind

TRACE = "a0b"
CHAIN = "cc"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A trace of two spans, and a chain of five, the last two of which are in a block."""
    folder = tmp_path_factory.mktemp("data")
    root = span(0xA0B, 1, name="root", at_s=0, for_s=2, attributes={"x": 1})
    child = span(0xA0B, 2, 1, name="child", at_s=1, attributes={"x": 2})
    chain = [span(0xCC, number, number - 1, name=f"n{number}", at_s=number) for number in range(1, 6)]
    store(folder, [request(*chain[3:])], kind=UnitKind.BLOCK)
    store(folder, [request(root, child, service="front"), request(*chain[:3])])
    with serving(folder) as started:
        yield started


def names(server: Server, identity: str, **params: Any) -> list[str]:
    trace = server.get(f"/api/v2/traces/{identity}", **params).json["trace"]
    return sorted(one["name"] for batch in trace.get("resourceSpans", []) for one in batch["scopeSpans"][0]["spans"])


@pytest.mark.parametrize("identity", [TRACE, TRACE.upper(), TRACE.rjust(32, "0")])
def test_a_trace_by_id(server: Server, identity: str) -> None:
    old, new = (server.get(f"{path}/{identity}") for path in ("/api/traces", "/api/v2/traces"))
    assert old.json["batches"] == new.json["trace"]["resourceSpans"]
    names = [one["name"] for one in old.json["batches"][0]["scopeSpans"][0]["spans"]]
    assert names == ["root", "child"]


def test_a_trace_as_protobuf(server: Server) -> None:
    accept = {"Accept": "application/protobuf"}
    old, new = (server.get(f"{path}/{TRACE}", accept) for path in ("/api/traces", "/api/v2/traces"))
    trace = TracesData.FromString(old.body)
    assert sum(len(one.spans) for batch in trace.resource_spans for one in batch.scope_spans) == 2
    assert new.headers["content-type"] == "application/protobuf"
    assert new.body[:1] == b"\x0a"
    assert TracesData.FromString(new.body[2 if new.body[1] < 0x80 else 3 :]) == trace


def test_a_trace_that_is_not_there(server: Server) -> None:
    assert server.get("/api/traces/99").status == 404
    assert server.get("/api/traces/99").body == b""
    assert server.get("/api/v2/traces/99").json == {"trace": {}, "metrics": {}}
    assert server.get("/api/v2/traces/99", {"Accept": "application/protobuf"}).body == b"\x0a\x00"


def test_a_trace_reduced_to_what_a_query_selects(server: Server) -> None:
    assert names(server, TRACE, q="{ .x = 2 }") == ["child"]
    assert names(server, TRACE, q="{ .x = 2 }", keep_hierarchy="true") == ["child", "root"]
    assert names(server, TRACE, q="{ .x = 3 }") == []
    assert server.get(f"/api/v2/traces/{TRACE}", q="{ x }").status == 400


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, "3"),
        ({"match_depth": 1}, "34"),
        ({"match_depth": -1}, "345"),
        ({"match_depth": 9}, "345"),
        ({"ancestor_depth": 1}, "3"),
        ({"keep_hierarchy": "true"}, "123"),
        ({"keep_hierarchy": "1", "ancestor_depth": 1}, "23"),
        ({"keep_hierarchy": "true", "ancestor_depth": 0, "match_depth": 1}, "34"),
        ({"keep_hierarchy": "true", "ancestor_depth": -1, "match_depth": -1}, "12345"),
    ],
)
def test_so_many_levels_around_what_is_selected_stay(server: Server, given: dict[str, Any], kept: str) -> None:
    assert names(server, CHAIN, q="{ name = `n3` }", **given) == [f"n{number}" for number in kept]


@pytest.mark.parametrize(("mode", "kept"), [("all", "12345"), ("ingesters", "123"), ("blocks", "45"), ("external", "")])
def test_a_mode_says_where_a_trace_is_looked_for(server: Server, mode: str, kept: str) -> None:
    assert names(server, CHAIN, mode=mode) == [f"n{number}" for number in kept]
    assert server.get(f"/api/traces/{CHAIN}", mode=mode).status == (200 if kept else 404)
