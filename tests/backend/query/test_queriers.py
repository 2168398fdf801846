"""Tenants: what one of them asks never shows what is another's, and each is held to its limits."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from tests.backend.query.samples import NOW, SECOND, request, span, unit

from vivace.backend.query.api import Api
from vivace.backend.query.exposition import Metrics
from vivace.backend.query.queriers import MOST, Queriers, strictest
from vivace.backend.query.unforeseen import Unforeseen
from vivace.backend.query.workers import Workers
from vivace.backend.store.decode import decode
from vivace.backend.store.unit import TablesSource, Unit
from vivace.backend.tenant.identity import TenantError
from vivace.backend.tenant.limits import Read
from vivace.backend.tenant.overrides import Overrides

S = NOW // SECOND
TENANTS = ("red", "blue", "green")
WINDOW = {"start": str(S - 100), "end": str(S + 100)}
QUESTIONS: tuple[tuple[str, dict[str, str]], ...] = (
    ("/api/search", {"q": "{ }", "limit": "100", "spss": "100"}),
    ("/api/search", {"q": "{ } | count() > 0", "limit": "100", **WINDOW}),
    ("/api/search", {"q": '{ resource.service.name =~ ".*" } >> { }', "spss": "100"}),
    ("/api/search", {"tags": "mark=of"}),
    ("/api/metrics/query_range", {"q": "{ } | rate() by (.mark)", "step": "10s", **WINDOW}),
    ("/api/metrics/query_range", {"q": "{ } | compare({ .n > 1 })", "step": "10s", **WINDOW}),
    ("/api/metrics/query", {"q": "{ } | count_over_time() by (name)", **WINDOW}),
    ("/api/search/tags", {}),
    ("/api/v2/search/tags", WINDOW),
    ("/api/search/tag/service.name/values", {}),
    ("/api/v2/search/tag/.mark/values", {}),
    ("/api/v2/search/tag/name/values", {"q": "{ .n >= 0 }"}),
    *((f"{path}/{number:x}", {}) for path in ("/api/traces", "/api/v2/traces") for number in range(1, 5)),
    ("/api/v2/traces/1", {"q": "{ }"}),
)
Held = Mapping[str, list[list[tuple[int, int]]]]
"""By tenant its units: traces with numbers of spans."""


def owned(tenant: str, traces: list[tuple[int, int]]) -> Unit:
    """A unit in which everything says whose it is."""
    spans = [
        span(
            trace,
            number,
            name=f"of-{tenant}",
            at_s=number % 7,
            attributes={"mark": f"of-{tenant}", f"of-{tenant}": 1, "n": number},
        )
        for trace, number in traces
    ]
    made = unit(request(*spans, service=f"of-{tenant}"))
    return Unit(replace(made.info, tenant=tenant), made._source)


def application(units: list[Unit], overrides: Overrides | None = None, multitenancy: bool = True) -> Starlette:
    def snapshot(tenants: Any) -> list[Unit]:
        return [one for one in units if one.info.tenant in tenants]

    queriers = Queriers(snapshot, overrides, multitenancy)
    return Api(queriers, Workers(), Metrics(), Path("nowhere"), {}).application()


def asked(app: Starlette, path: str, given: Mapping[str, str], header: str | None) -> tuple[int, bytes]:
    """The status and body of an answer."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [] if header is None else [(b"x-scope-orgid", header.encode("latin-1", "replace"))]
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": quote(path).encode(), "root_path": ""}
    asyncio.run(app({**scope, "query_string": urlencode(given).encode(), "headers": headers}, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


held = st.dictionaries(
    st.sampled_from(TENANTS),
    st.lists(
        st.lists(st.tuples(st.integers(1, 4), st.integers(1, 9)), min_size=1, max_size=4, unique=True), max_size=3
    ),
    min_size=2,
)


@given(held, st.sets(st.sampled_from(TENANTS), min_size=1, max_size=2))
@settings(max_examples=25, deadline=None)
def test_no_answer_shows_what_is_of_another_tenant(held: Held, readers: set[str]) -> None:
    app = application([owned(tenant, traces) for tenant, units in held.items() for traces in units])
    header = "|".join(sorted(readers, reverse=True))
    for path, wanted in QUESTIONS:
        status, body = asked(app, path, wanted, header)
        assert status in (200, 404), body
        for other in set(TENANTS) - readers:
            assert f"of-{other}".encode() not in body, (path, wanted, body)
    expected: dict[int, set[tuple[str, int]]] = {trace: set() for trace in range(1, 5)}
    for tenant in readers:
        for trace, number in itertools.chain.from_iterable(held.get(tenant, [])):
            expected[trace].add((tenant, number))
    found = {trace: spans_of(app, trace, header) for trace in range(1, 5)}
    assert found == expected
    matched = json.loads(asked(app, *QUESTIONS[0], header)[1])["traces"]
    assert {int(one["traceID"], 16) for one in matched} == {trace for trace, spans in expected.items() if spans}


def spans_of(app: Starlette, trace: int, header: str) -> set[tuple[str, int]]:
    answer = json.loads(asked(app, f"/api/v2/traces/{trace:x}", {}, header)[1])["trace"]
    return {
        (one["name"].removeprefix("of-"), number_of(one))
        for batch in answer.get("resourceSpans", [])
        for inner in batch["scopeSpans"]
        for one in inner["spans"]
    }


def number_of(shown: Mapping[str, Any]) -> int:
    return next(int(one["value"]["intValue"]) for one in shown["attributes"] if one["key"] == "n")


def test_without_tenants_the_header_is_not_looked_at() -> None:
    app = application([unit(request(span(1, 1)))], multitenancy=False)
    for header in (None, "red", "a|b", "///", "x" * 500):
        assert len(json.loads(asked(app, "/api/search", {"q": "{ }"}, header)[1])["traces"]) == 1


@pytest.mark.parametrize(
    ("header", "status", "words"),
    [
        (None, 401, "no org id"),
        ("", 401, "no org id"),
        ("a||b", 401, "no org id"),
        ("a/b", 400, "unsupported character"),
        ("x" * 151, 400, "too long"),
        ("..", 400, "is '.' or '..'"),
    ],
)
@pytest.mark.parametrize("path", [path for path, _ in QUESTIONS[:13]] + ["/api/overrides"])
def test_who_does_not_say_who_he_is_is_refused(path: str, header: str | None, status: int, words: str) -> None:
    answer = asked(application([]), path, {"q": "{ } | rate()"}, header)
    assert answer[0] == status
    assert words in answer[1].decode()


@pytest.mark.parametrize("path", ["/api/echo", "/status", "/status/config", "/metrics", "/api/status/buildinfo"])
def test_what_is_about_no_tenant_needs_none(path: str) -> None:
    assert asked(application([]), path, {}, None)[0] == 200


def test_an_unknown_tenant_has_nothing() -> None:
    app = application([owned("red", [(1, 1)])])
    assert json.loads(asked(app, "/api/search", {"q": "{ }"}, "nobody")[1])["traces"] == []
    assert asked(app, "/api/traces/1", {}, "nobody")[0] == 404


LIMITED = """
overrides:
  red:
    read: {max_search_duration: 1h, max_metrics_duration: 2m, max_bytes_per_trace: 10}
"""


def test_each_tenant_has_its_limits(tmp_path: Path) -> None:
    (tmp_path / "limits.yaml").write_text(LIMITED)
    units = [owned(tenant, [(1, number) for number in range(1, 40)]) for tenant in TENANTS]
    app = application(units, Overrides(tmp_path / "limits.yaml"))
    long = {"q": "{ }", "start": str(S - 7200), "end": str(S)}
    for header in ("red", "red|blue"):
        status, body = asked(app, "/api/search", long, header)
        text = f"range specified by start and end exceeds 1h0m0s. received start={S - 7200} end={S}"
        assert (status, body.decode()) == (400, text)
        status, body = asked(app, "/api/metrics/query_range", {**WINDOW, "q": "{ } | rate()"}, header)
        assert (status, body) == (400, b"metrics query time range exceeds the maximum allowed duration of 2m0s")
        assert asked(app, "/api/traces/1", {}, header) == (422, b"trace exceeds max size (max bytes: 10)")
        partial = json.loads(asked(app, "/api/v2/traces/1", {}, header)[1])
        assert partial["status"] == "PARTIAL"
    assert asked(app, "/api/search", long, "blue")[0] == 200
    assert asked(app, "/api/metrics/query_range", {**WINDOW, "q": "{ } | rate()"}, "blue")[0] == 200
    assert asked(app, "/api/traces/1", {}, "blue")[0] == 200


def test_the_limits_are_shown(tmp_path: Path) -> None:
    (tmp_path / "limits.yaml").write_text(LIMITED)
    app = application([], Overrides(tmp_path / "limits.yaml"))
    merged = json.loads(asked(app, "/api/overrides", {"scope": "merged"}, "red")[1])["limits"]
    assert merged["read"]["max_search_duration"] == "1h"
    assert json.loads(asked(app, "/api/overrides", {}, "red")[1]) == {}
    assert asked(app, "/api/overrides", {"scope": "x"}, "red")[0] == 400
    assert "max_bytes_per_trace: 10\n" in asked(app, "/status/overrides/red", {}, None)[1].decode()
    assert "max_bytes_per_trace: 50000000" in asked(app, "/status/overrides/blue", {}, None)[1].decode()
    assert "red:" in asked(app, "/status/overrides", {}, None)[1].decode()
    differing = asked(app, "/status/runtime_config", {"mode": "diff"}, None)[1].decode()
    assert "max_search_duration: 1h" in differing
    assert "block_retention" not in differing
    assert "block_retention" in asked(app, "/status/runtime_config", {}, None)[1].decode()


def test_the_strictest_limit_holds() -> None:
    limits = strictest(
        [Read(max_bytes_per_trace=0, max_query_time=5.0), Read(max_bytes_per_trace=7, max_query_time=0.0)]
    )
    assert (limits.max_bytes_per_trace, limits.max_query_time) == (7, 5.0)
    assert strictest([Read(max_concurrent_queries=0)]).max_concurrent_queries == 0


def test_only_so_many_queriers_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    queriers = Queriers(lambda _: [], multitenancy=True)
    first = queriers.reading("t0").querier
    assert queriers.reading("t0").querier is first
    for number in range(1, MOST + 1):
        queriers.reading(f"t{number}")
    assert queriers.reading("t0").querier is not first
    last = queriers.reading("t9").querier
    monkeypatch.setattr("vivace.backend.query.queriers.IDLE_S", -1.0)
    queriers.refresh()
    assert queriers.reading("t9").querier is not last


class Broken(TablesSource):
    """A unit of which a column cannot be read, once it is broken."""

    broken = False

    def column(self, table: str, name: str) -> Any:
        if self.broken and name == "duration":
            raise OSError(5, "input/output error")
        return super().column(table, name)


def test_answers_go_without_what_cannot_be_read() -> None:
    good = unit(request(span(1, 1, name="good")))
    tables = decode([request(span(1, 2, name="bad"), span(2, 1, name="bad")).SerializeToString()])
    source, said = Broken(tables), list[str]()
    bad = Unit(Unit.in_memory(tables).info, source)
    queriers = Queriers(lambda _: [good, bad], report=said.append)
    metrics = Metrics()
    app = Api(queriers, Workers(), metrics, Path("nowhere"), {}).application()
    source.broken = True
    query = {"q": "{ duration > 0s }", "limit": "9"}
    for _ in range(2):
        assert [one["traceID"] for one in json.loads(asked(app, "/api/search", query, None)[1])["traces"]] == ["1"]
    ranged = json.loads(asked(app, "/api/metrics/query_range", {**WINDOW, "q": "{ } | rate()"}, None)[1])
    assert ranged["status"] == "PARTIAL"
    trace = json.loads(asked(app, "/api/v2/traces/1", {}, None)[1])
    assert (trace["status"], trace["message"]) == ("PARTIAL", "some of the stored data cannot be read")
    assert asked(app, "/api/traces/1", {}, None)[0] == 200
    status, text = asked(app, "/api/traces/3", {}, None)
    assert (status, text) == (500, b"the trace is not in what can be read now: some of the stored data cannot be read")
    assert b"vivace_units_unreadable 1.0" in asked(app, "/metrics", {}, None)[1]
    assert len(said) == 1
    assert "cannot be read" in said[0]


def test_what_nobody_thought_of_is_said_in_one_line_and_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RecursionError("maximum\ndepth")

    monkeypatch.setattr("vivace.backend.query.querier.search", fail)
    said = list[str]()
    queriers = Queriers(lambda _: [unit(request(span(1, 1)))])
    app = Api(queriers, Workers(), Metrics(), Path("nowhere"), {}, unforeseen=Unforeseen(said.append)).application()
    for _ in range(3):
        answer = asked(app, "/api/search", {"q": "{ }"}, None)
        assert answer == (500, b"internal error: RecursionError; the backend has reported it")
    (line,) = said
    assert "RecursionError at vivace.backend.query.querier:" in line
    assert line.endswith(": maximum depth")


@given(st.text(max_size=20) | st.sampled_from(["a|b", "a" * 150, "|", "a|", "..", "a b"]))
@settings(max_examples=60, deadline=None)
def test_any_header_is_understood_or_refused(header: str) -> None:
    queriers = Queriers(lambda _: [], multitenancy=True)
    try:
        status = 200 if queriers.reading(header).tenant else 0
    except TenantError as error:
        status = error.status
    assert status in (200, 400, 401)
