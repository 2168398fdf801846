"""Every kind of query is asked as the API wants it, and its answer is read, counted and checked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.query.fake_tempo import TRACE_ID, FakeTempo, serving

from vivace.query.answer import Answer, Failed, Failure, Found
from vivace.query.answers.names import read_tag_values, read_tags
from vivace.query.answers.series import read_instant, read_range
from vivace.query.bucket import Window
from vivace.query.client import Client
from vivace.query.kind import Kind
from vivace.query.plan import NamedQuery
from vivace.query.settings import QuerySettings
from vivace.send.clock import Clock

Make = Callable[..., QuerySettings]
WINDOW = Window(1000, 1100)


def ask(settings: Make, tempo: FakeTempo, *queries: NamedQuery, window: Window | None = WINDOW) -> list[Answer]:
    async def asked() -> list[Answer]:
        async with serving(tempo.app()) as url, Client(settings(base_url=url, limit=5), Clock()) as client:
            return [await client.ask(query, window) for query in queries]

    return asyncio.run(asked())


@pytest.mark.parametrize(
    ("query", "path", "parameters", "items"),
    [
        (NamedQuery("q", kind=Kind.TAGS), "/api/v2/search/tags", {"limit": "5"}, 3),
        (
            NamedQuery("q", "{ .a }", Kind.TAG_VALUES, tag="resource.service.name"),
            "/api/v2/search/tag/resource.service.name/values",
            {"limit": "5", "q": "{ .a }"},
            2,
        ),
        (
            NamedQuery("q", "{} | rate()", Kind.METRICS_RANGE, step_s=1.0),
            "/api/metrics/query_range",
            {"q": "{} | rate()", "step": "1"},
            4,
        ),
        (NamedQuery("q", "{} | rate()", Kind.METRICS_INSTANT), "/api/metrics/query", {"q": "{} | rate()"}, 1),
    ],
)
def test_a_kind(settings: Make, query: NamedQuery, path: str, parameters: dict[str, str], items: int) -> None:
    tempo = FakeTempo()
    (answer,) = ask(settings, tempo, query)
    assert answer.found is not None, answer.message
    assert (answer.found.items, answer.found.traces) == (items, None)
    assert tempo.paths() == [path]
    assert dict(tempo.requests[0].query) == parameters | {"start": "1000", "end": "1100"}


def test_without_a_window_no_range_is_asked_for(settings: Make) -> None:
    tempo = FakeTempo()
    (answer,) = ask(settings, tempo, NamedQuery("q", "{}"), window=None)
    assert answer.found is not None
    assert dict(tempo.requests[0].query) == {"q": "{}", "limit": "5"}


def test_the_older_api_is_asked_where_there_is_no_newer(settings: Make) -> None:
    tempo = FakeTempo(has_v2=False)
    tags, values = NamedQuery("q", kind=Kind.TAGS), NamedQuery("q", kind=Kind.TAG_VALUES, tag="span.a")
    answers = ask(settings, tempo, tags, tags, values)
    assert [answer.found and answer.found.items for answer in answers] == [2, 2, 2]
    assert tempo.paths() == ["/api/search/tags"] * 2 + ["/api/search/tag/span.a/values"]


def test_a_trace_that_is_nowhere_is_an_answer_unless_it_must_be_there(settings: Make) -> None:
    async def both(tempo: FakeTempo) -> list[Answer]:
        async with serving(tempo.app()) as url, Client(settings(base_url=url), Clock()) as client:
            return [await client.trace(TRACE_ID, exists) for exists in (False, True)]

    for has_v2 in (True, False):
        unknown, missing = asyncio.run(both(FakeTempo(spans=0, has_v2=has_v2)))
        assert unknown.found is not None
        assert unknown.found.nothing
        assert (missing.failure, missing.message) == (Failure.WRONG, f"trace {TRACE_ID} is not there")


def series(moments: list[int], **more: Any) -> bytes:
    samples = [{"timestampMs": str(moment), "value": "NaN"} for moment in moments]
    return json.dumps(
        {"series": [{"labels": [{"key": "a", "value": {"intValue": "1"}}], "samples": samples} | more]}
    ).encode()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (series([1_000_000, 1_000_000]), "not in the order of time"),
        (series([900_000]), "outside the window"),
        (series([1_110_000]), "outside the window"),
        (json.dumps({"series": [{"labels": []}, {"labels": []}]}).encode(), "a series is there twice"),
    ],
)
def test_series_that_cannot_be_right_are_wrong(body: bytes, says: str) -> None:
    with pytest.raises(Failed, match=says) as caught:
        read_range(body, WINDOW, 1.0)
    assert caught.value.failure is Failure.WRONG


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"series": 5}', b'{"series": [5]}', b'{"series": [{"samples": [{}]}]}', b"\xff"]
)
def test_what_are_no_series_is_unreadable(body: bytes) -> None:
    with pytest.raises(Failed) as caught:
        read_range(body, WINDOW)
    assert caught.value.failure is Failure.UNREADABLE


def test_series_may_reach_a_step_beyond_the_window_and_miss_zeros() -> None:
    assert read_range(series([995_000, 1_000_000, 1_105_000]), WINDOW, 5.0).items == 1
    assert read_instant(b'{"series": [{"labels": []}]}').items == 1
    assert read_instant(b"{}").nothing


@pytest.mark.parametrize("read", [read_tags, read_tag_values])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"traces": []}',
        b'{"scopes": [{}], "tagValues": [{}]}',
        b'{"tagNames": [1], "tagValues": [1]}',
        b'{"scopes": 5, "tagValues": 5}',
    ],
)
def test_what_are_no_names_is_unreadable(read: Callable[[bytes], Found], body: bytes) -> None:
    with pytest.raises(Failed) as caught:
        read(body)
    assert caught.value.failure is Failure.UNREADABLE


def test_a_name_that_is_there_twice_is_wrong() -> None:
    with pytest.raises(Failed, match="twice") as caught:
        read_tags(b'{"tagNames": ["a", "a"]}')
    assert caught.value.failure is Failure.WRONG
    assert read_tags(b'{"scopes": [{"name": "a", "tags": ["x"]}, {"name": "b", "tags": ["x"]}]}').items == 2
