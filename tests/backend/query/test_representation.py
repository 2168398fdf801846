"""The form of an answer is what the request accepts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from tests.backend.query.samples import NOW, SECOND, request, span, store
from tests.backend.query.served import Server, serving

from vivace.backend.query.tempopb import MESSAGES, message

PROTOBUF = "application/protobuf"
WINDOW: Mapping[str, Any] = {"start": NOW // SECOND - 60, "end": NOW // SECOND + 60}
ASKED: tuple[tuple[str, Mapping[str, Any], str], ...] = (
    ("/api/search", {"q": "{ .x > 0 }"}, "SearchResponse"),
    ("/api/search", {"tags": "x=1"}, "SearchResponse"),
    ("/api/search/tags", {}, "SearchTagsResponse"),
    ("/api/v2/search/tags", {}, "SearchTagsV2Response"),
    ("/api/search/tag/x/values", {}, "SearchTagValuesResponse"),
    ("/api/v2/search/tag/.x/values", {}, "SearchTagValuesV2Response"),
    ("/api/metrics/query_range", {"q": "{ } | quantile_over_time(duration, .9)", **WINDOW}, "QueryRangeResponse"),
    ("/api/metrics/query_range", {"q": "({ } | rate()) / 0", **WINDOW}, "QueryRangeResponse"),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("data")
    store(folder, [request(*(span(1, number, attributes={"x": number, "s": "t"}) for number in range(1, 4)))])
    with serving(folder) as started:
        yield started


@pytest.mark.parametrize(("path", "given", "kind"), ASKED)
@pytest.mark.parametrize("accepted", [PROTOBUF, "application/json, Application/Protobuf;q=0.9"])
def test_protobuf_says_what_json_says(
    server: Server, path: str, given: Mapping[str, Any], kind: str, accepted: str
) -> None:
    plain, packed = server.get(path, **given), server.get(path, {"Accept": accepted}, **given)
    assert (plain.headers["content-type"], packed.headers["content-type"]) == ("application/json", PROTOBUF)
    said = MESSAGES[kind].FromString(packed.body)
    assert said == ParseDict(plain.json, MESSAGES[kind]())
    assert MessageToDict(said)


def test_an_instant_is_json_alone(server: Server) -> None:
    answer = server.get("/api/metrics/query", {"Accept": PROTOBUF}, q="{ } | rate()", **WINDOW)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["series"]


@pytest.mark.parametrize("path", ["/api/search", "/api/v2/search/tags", "/api/traces/1", "/api/v2/traces/1"])
def test_what_language_models_accept_is_json_too(server: Server, path: str) -> None:
    answer = server.get(path, {"Accept": "application/vnd.grafana.llm"})
    assert answer.headers["content-type"] == "application/vnd.grafana.llm+json"
    assert answer.json == server.get(path).json


def test_a_refusal_is_text_in_every_form(server: Server) -> None:
    answer = server.get("/api/search", {"Accept": PROTOBUF}, q="{")
    assert (answer.status, answer.headers["content-type"]) == (400, "text/plain; charset=utf-8")


def test_points_are_what_the_library_makes_of_them() -> None:
    points = [{"timestampMs": str(number), "value": value} for number, value in enumerate((0, 1.5, "Infinity", -2))]
    labels = [{"key": "name", "value": {"stringValue": "n"}}]
    document = {"series": [{"labels": labels, "samples": points}, {"labels": []}], "metrics": {}, "status": "PARTIAL"}
    kind = "QueryRangeResponse"
    assert message(kind, document) == ParseDict(document, MESSAGES[kind]())
    assert message(kind, {"series": []}) == MESSAGES[kind]()
    instant = {"series": [{"labels": labels, "value": 2.5}]}
    assert message("QueryInstantResponse", instant) == ParseDict(instant, MESSAGES["QueryInstantResponse"]())
