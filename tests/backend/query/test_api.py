"""The HTTP API, asked over loopback from a querier process that was really started."""

from __future__ import annotations

import gzip
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from tests.backend.query.samples import NOW, SECOND, request, span, store
from tests.backend.query.served import Server, serving

from vivace.backend.query.api import RECEIVER_METRICS
from vivace.backend.store.unit import UnitKind

TRACE = "a0b"


def spans() -> list[Any]:
    root = span(0xA0B, 1, name="root", at_s=0, for_s=2, attributes={"x": 1})
    child = span(0xA0B, 2, 1, name="child", at_s=1, attributes={"x": 2})
    other = span(0xC, 3, name="other", at_s=-30, for_s=0.5)
    return [request(root, child, service="front"), request(other, service="back", zone="z1")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("data")
    store(folder, [spans()[1]], kind=UnitKind.BLOCK)
    store(folder, [spans()[0]])
    with serving(folder) as started:
        yield started


def test_search(server: Server) -> None:
    answer = server.get("/api/search", q="{ .x > 0 }")
    assert answer.headers["content-type"] == "application/json"
    (trace,) = answer.json["traces"]
    assert trace["traceID"] == TRACE
    assert (trace["rootServiceName"], trace["rootTraceName"], trace["durationMs"]) == ("front", "root", 2000)
    assert trace["spanSets"][0]["matched"] == 2
    assert trace["spanSet"] == trace["spanSets"][0]
    assert answer.json["metrics"] == {"inspectedTraces": 2, "inspectedSpans": "3"}


def test_search_in_a_window(server: Server) -> None:
    start = NOW // SECOND
    answer = server.get("/api/search", q="{ }", start=start - 60, end=start - 20)
    assert [trace["traceID"] for trace in answer.json["traces"]] == ["c"]


def test_search_by_tags(server: Server) -> None:
    answer = server.get("/api/search", tags="service.name=BACK zone=z1", maxDuration="1s")
    assert [trace["traceID"] for trace in answer.json["traces"]] == ["c"]
    assert "spanSets" not in answer.json["traces"][0]


@pytest.mark.parametrize(
    ("path", "params", "message"),
    [
        ("/api/search", {"q": "{ x }"}, "invalid TraceQL query: parse error at line 1, col 3"),
        ("/api/search", {"q": "{ } | rate()"}, "invalid TraceQL query: a metrics query"),
        ("/api/search", {"limit": "0"}, "invalid limit"),
        ("/api/traces/xyz", {}, "trace IDs can only contain hex characters"),
        ("/api/traces/1", {"start": "5"}, "must provide both or neither"),
        ("/api/metrics/query_range", {"q": "{ }"}, "not a metrics query"),
        ("/api/metrics/query_range", {"q": "{ } | rate() | topk(0)"}, "compiling query: limit must be greater than 0"),
        ("/api/metrics/query", {"q": "{ } | rate("}, "parse error"),
        ("/api/metrics/query_range", {"q": "{ } | rate()", "instant": "yes"}, "invalid instant: strconv.ParseBool"),
        ("/api/traces/1", {"mode": "bogus"}, "invalid value for mode bogus"),
        ("/api/v2/traces/1", {"mode": "block"}, "invalid value for mode block"),
        ("/api/v2/traces/1", {"match_depth": "x"}, "invalid match_depth"),
        ("/api/v2/traces/1", {"ancestor_depth": "-2"}, "invalid ancestor_depth"),
        ("/api/v2/traces/1", {"keep_hierarchy": "maybe"}, "invalid keep_hierarchy"),
        ("/api/search/tags", {"scope": "bogus"}, "invalid scope: bogus"),
        ("/api/v2/search/tag/app.id/values", {}, "please provide a valid tagName: failed to parse identifier app.id"),
    ],
)
def test_a_bad_request_gets_one_line_of_text(server: Server, path: str, params: dict[str, Any], message: str) -> None:
    answer = server.get(path, **params)
    assert answer.status == 400
    assert answer.text.startswith(message) or message in answer.text
    assert "\n" not in answer.text
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["/nosuch", "/api/echo/", "/api/traces/1/"])
def test_an_unknown_path_is_not_found(server: Server, path: str) -> None:
    answer = server.get(path)
    assert (answer.status, answer.text) == (404, "404 page not found")


def test_metrics_over_a_range(server: Server) -> None:
    start = NOW // SECOND
    answer = server.get(
        "/api/metrics/query_range", q="{ } | count_over_time()", start=start, end=start + 10, step="10s"
    )
    (series,) = answer.json["series"]
    assert series["labels"] == [{"key": "__name__", "value": {"stringValue": "count_over_time"}}]
    samples = {sample["timestampMs"]: sample["value"] for sample in series["samples"]}
    assert samples == {str(start * 1000): 1.0, str((start + 10) * 1000): 1.0}


def test_metrics_over_a_range_as_one_bucket(server: Server) -> None:
    start = NOW // SECOND
    window: dict[str, Any] = {"start": start - 31, "end": start + 9, "step": "10s"}
    answer = server.get("/api/metrics/query_range", q="{ } | count_over_time()", instant="true", **window)
    (series,) = answer.json["series"]
    assert series["samples"] == [{"timestampMs": str((start + 9) * 1000), "value": 3}]
    several = server.get("/api/metrics/query_range", q="{ } | count_over_time()", instant="false", **window)
    assert len(several.json["series"][0]["samples"]) > 1


def test_metrics_at_an_instant(server: Server) -> None:
    start = NOW // SECOND
    answer = server.get("/api/metrics/query", q="{ } | count_over_time() by (name)", start=start - 60, end=start + 10)
    values = {series["labels"][0]["value"]["stringValue"]: series["value"] for series in answer.json["series"]}
    assert values == {"root": 1, "child": 1, "other": 1}


def test_names_of_tags(server: Server) -> None:
    assert server.get("/api/search/tags").json["tagNames"] == ["service.name", "x", "zone"]
    assert server.get("/api/search/tags", limit=1).json["tagNames"] == ["service.name"]
    scopes = {one["name"]: one["tags"] for one in server.get("/api/v2/search/tags").json["scopes"]}
    assert scopes.keys() == {"resource", "span", "intrinsic"}
    assert scopes["span"] == ["x"]
    filtered = server.get("/api/v2/search/tags", q="{ name = `other` }", scope="resource").json["scopes"]
    assert filtered == [{"name": "resource", "tags": ["service.name", "zone"]}]


def test_values_of_tags(server: Server) -> None:
    assert server.get("/api/search/tag/service.name/values").json["tagValues"] == ["back", "front"]
    assert server.get("/api/v2/search/tag/span.x/values").json["tagValues"] == [
        {"type": "int", "value": "1"},
        {"type": "int", "value": "2"},
    ]
    filtered = server.get("/api/v2/search/tag/name/values", q="{ .x = 2 }").json["tagValues"]
    assert filtered == [{"type": "string", "value": "child"}]
    assert server.get("/api/v2/search/tag/duration/values").json["tagValues"] == []
    while_typing = server.get("/api/v2/search/tag/.x/values", q="{ .x = ").json["tagValues"]
    assert [one["value"] for one in while_typing] == ["1", "2"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("{ .x = 2 && span.y = }", ["child"]),
        ("{ .x = 2 && span.y", ["child"]),
        ("{ .x = 2 && .y = } | rate()", ["child"]),
        ("{ .x = 2 } | rate()", ["child"]),
        ("{ .x = 2 || .y = }", None),
        ("{ .x = 2 } >> { .y = }", None),
        ("garbage", None),
    ],
)
def test_a_query_that_is_being_typed_filters_tags_by_what_is_complete(
    query: str, names: list[str] | None, server: Server
) -> None:
    every = [one["value"] for one in server.get("/api/v2/search/tag/name/values").json["tagValues"]]
    found = server.get("/api/v2/search/tag/name/values", q=query).json["tagValues"]
    assert [one["value"] for one in found] == (names or every)


def test_a_query_that_is_being_typed_filters_names_of_tags(server: Server) -> None:
    for query in ("{ name = `other` }", "{ name = `other` && .y = }"):
        assert server.get("/api/v2/search/tags", q=query, scope="span").json["scopes"] == []
    assert server.get("/api/v2/search/tags", q="{ name = `other` || .y = }", scope="span").json["scopes"] != []


def test_simple_endpoints(server: Server) -> None:
    assert server.get("/api/echo").text == "echo\n"
    assert server.get("/status/version").text.startswith("vivace, version ")
    assert set(server.get("/api/status/buildinfo").json) == {
        "version",
        "revision",
        "branch",
        "buildUser",
        "buildDate",
        "goVersion",
    }


def test_it_is_ready_once_the_receiver_is_up(server: Server) -> None:
    alive = server.folder / "metrics" / RECEIVER_METRICS
    assert server.get("/ready").status == 503
    alive.write_text("up 1\n")
    assert (server.get("/ready").status, server.get("/ready").text) == (200, "ready\n")
    os.utime(alive, (time.time() - 60,) * 2)
    assert server.get("/ready").status == 503


def test_metrics_are_those_of_all_processes(server: Server) -> None:
    (server.folder / "metrics" / "indexer.prom").write_text("indexed_total 7\n")
    server.get("/api/echo")
    text = server.get("/metrics").text
    assert "indexed_total 7\n" in text
    counted = 'tempo_request_duration_seconds_count{method="GET",route="api_echo",status_code="200",ws="false"}'
    assert counted in text


def test_a_large_answer_is_compressed_when_asked_for(server: Server) -> None:
    answer = server.get("/metrics", {"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    start = NOW // SECOND
    window: dict[str, Any] = {"q": "{ } | rate() by (name)", "start": start - 600, "end": start, "step": "1s"}
    plain = server.get("/api/metrics/query_range", **window)
    packed = server.get("/api/metrics/query_range", {"Accept-Encoding": "gzip"}, **window)
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(packed.body) == plain.body


def test_new_units_are_seen_and_queries_do_not_wait_for_each_other(server: Server) -> None:
    store(server.folder, [request(span(0xF00, 9, at_s=5, attributes={"new": True}))])
    traces = server.get("/api/search", q="{ .new }").json["traces"]
    assert [trace["traceID"] for trace in traces] == ["f00"]


def test_status(server: Server) -> None:
    assert server.get("/status/version").text.startswith("vivace, version")
    assert "querier: Running" in server.get("/status/services").text
    endpoints = server.get("/status/endpoints").text.splitlines()
    assert {"ANY /api/search", "ANY /api/v2/search/tag/{tag}/values", "ANY /status/overrides/{tenant}"} < {*endpoints}
    assert "DELETE,GET,HEAD,PATCH,POST /api/overrides" in endpoints
    config = server.get("/status/config").text
    assert f"data_dir: {server.folder}" in config
    assert "wal_sync: always" in config
    assert "max_query_time: 1m" in config
    everything = server.get("/status").text
    assert all(part in everything for part in ("vivace, version", "querier: Running", "/api/search", "max_query_time"))
    assert "max_bytes_per_trace" in server.get("/status/overrides/single-tenant").text


def test_overrides(server: Server) -> None:
    answer = server.get("/api/overrides")
    assert (answer.json, answer.headers["etag"]) == ({}, '"0"')
    assert "limits" in server.get("/api/overrides", scope="merged").json

    def change(**headers: str) -> int:
        url = f"http://{server.address}/api/overrides"
        asked = urllib.request.Request(url, data=b"{}", headers=headers, method="POST")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(asked, timeout=20)  # noqa: S310 - http, on this machine
        with caught.value:
            return caught.value.code

    assert change() == 428
    assert change(**{"If-Match": '"7"'}) == 412
    assert change(**{"If-Match": '"0"'}) == 405


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/api/search", f"/api/v2/traces/{TRACE}", "/api/search/tags", "/status/version"])
def test_a_question_may_be_asked_with_any_method(server: Server, path: str, method: str) -> None:
    answer = server.get(path, method=method)
    assert (answer.status, answer.body) == (200, b"" if method == "HEAD" else server.get(path).body)


def test_a_key_may_have_a_line_break_or_a_slash_in_it(server: Server) -> None:
    for number, key in enumerate(("new\nline", "a/values")):
        store(server.folder, [request(span(0xF10 + number, 9, at_s=6, attributes={key: f"v{number}"}))])
        old = server.get(f"/api/search/tag/{urllib.parse.quote(f'span.{key}', safe='')}/values")
        assert old.json["tagValues"] == [f"v{number}"]
        new = server.get(f"/api/v2/search/tag/span.%22{urllib.parse.quote(key, safe='')}%22/values")
        assert new.json["tagValues"] == [{"type": "string", "value": f"v{number}"}]


def test_search_by_very_many_tags(server: Server) -> None:
    every = {f"k{number}": "v" for number in range(2000)}
    store(server.folder, [request(span(0xF20, 9, at_s=7, attributes=every))])
    tags = " ".join(f"{key}={value}" for key, value in every.items())
    assert [trace["traceID"] for trace in server.get("/api/search", tags=tags).json["traces"]] == ["f20"]
    assert server.get("/api/search", tags=f"{tags} k0=other").json["traces"] == []
    assert server.get("/api/search", tags=f"{tags} other=v").json["traces"] == []


def test_tags_of_a_window_that_covers_part_of_a_unit() -> None:
    from tests.backend.query.samples import catalogue, unit

    from vivace.backend.query.parameters import Window
    from vivace.backend.query.tags import TagRequest, tag_names, tag_values
    from vivace.traceql.identifier import parse_identifier
    from vivace.traceql.tree import Scope

    early = request(span(1, 1, at_s=0, attributes={"early": "a", "both": 1}), service="one")
    late = request(span(2, 2, at_s=100, attributes={"late": "b", "both": 2}), service="two")
    views = catalogue(unit(early, late)).visible()
    asked = TagRequest(Window(NOW + 50 * SECOND, NOW + 150 * SECOND))
    assert tag_names(views, asked, [Scope.SPAN])[Scope.SPAN] == ["both", "late"]
    assert [one.text for one in tag_values(views, asked, parse_identifier(".both"))] == ["2"]
    assert [one.text for one in tag_values(views, asked, parse_identifier("resource.service.name"))] == ["two"]
