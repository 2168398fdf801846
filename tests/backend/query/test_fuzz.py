"""Whatever is asked, there is an answer or a line that says what is wrong: never a 500, never a traceback."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from tests.backend.query.samples import NOW, SECOND, request, span, unit

from vivace.backend.query.api import Api
from vivace.backend.query.exposition import Metrics
from vivace.backend.query.querier import decline
from vivace.backend.query.queriers import Queriers
from vivace.backend.query.streaming import _CODES, _METHODS
from vivace.backend.query.tempopb import MESSAGES
from vivace.backend.query.workers import Workers

S = NOW // SECOND
NUMBERS = ("0", "1", "-1", "20", "1e9", "1.5", "9" * 19, "9" * 25, "9" * 400, "9" * 5000, "NaN", "inf", "٣", "²", "0x1")
TIMES = (
    *NUMBERS,
    str(S - 60),
    str(S + 60),
    str(NOW),
    "0001-01-01T00:00:00",
    "9999-12-31T23:59:59Z",
    "2023-11-14T22:00",
)
DURATIONS = (*NUMBERS, "1s", "-1s", "1h30m", "9" * 30 + "h", "1.5.5s", "5", "0s", "1ns")
QUERIES = (
    "{ }",
    "{ .x > 0 } | rate() by (name)",
    "{ } | quantile_over_time(duration, .5)",
    "{ } | compare({ .x = 1 })",
    "{ .x ^ 99 > 9223372036854775807 }",
    "{ .x = 99999999999999999999 }",
    "{ .x / 0 = 1 }",
    "{ duration > 1e400 }",
    "{ .x % 0 = 1 }",
    "{ -(-9223372036854775808) = .x }",
    '{ name =~ "(a+)+$" } >> { name =~ "((((.*)*)*)*)*x" }',
    '{ name =~ "a{1000}{1000}" }',
    "{ } | by(.x) | avg(.x) > 1 | select(name)",
    "{" * 500,
    "(" * 2000 + "{ }" + ")" * 2000,
    "{ " + "!" * 3000 + "true }",
    "{ " + " && ".join([".a = 1"] * 500) + " }",
    "{ . }",
    "\x00",
)
FIELDS: dict[str, tuple[str, ...]] = {
    "q": QUERIES,
    "query": QUERIES,
    "tags": ("a=b", 'a="b', "=", "service.name=shop x=1", "status=error", 'x="\\"'),
    "start": TIMES,
    "end": TIMES,
    "since": DURATIONS,
    "step": DURATIONS,
    "minDuration": DURATIONS,
    "maxDuration": DURATIONS,
    "limit": NUMBERS,
    "spss": NUMBERS,
    "exemplars": NUMBERS,
    "maxSeries": NUMBERS,
    "maxStaleValues": NUMBERS,
    "scope": ("span", "none", "intrinsic", "x", "merged"),
    "mode": ("all", "x"),
    "keep_hierarchy": ("true", "x"),
}
TAGS = ("name", ".x", "span.x", "resource.service.name", "status", "x", 'span."a', "trace:id", "event:name", "..", "٣")
PARAMETERS = st.dictionaries(st.sampled_from(sorted(FIELDS)), st.integers(0, 30), max_size=4)
PATHS = st.one_of(
    st.sampled_from(
        ("/api/search", "/api/metrics/query_range", "/api/metrics/query", "/api/search/tags", "/api/v2/search/tags")
    ),
    st.sampled_from(("", "1", "0", "zz", "f" * 32, "f" * 33, "0" * 9000, "1" * 9000)).map("/api/traces/{}".format),
    st.sampled_from(("1", "zz", "²")).map(lambda one: f"/api/v2/traces/{quote(one)}"),
    st.sampled_from(TAGS).map(lambda one: f"/api/search/tag/{quote(one, safe='')}/values"),
    st.sampled_from(TAGS).map(lambda one: f"/api/v2/search/tag/{quote(one, safe='')}/values"),
    st.sampled_from(
        (
            "/api/overrides",
            "/api/echo",
            "/ready",
            "/metrics",
            "/status",
            "/status/config",
            "/status/overrides",
            "/status/overrides/x",
            "/status/runtime_config",
            "/status/endpoints",
            "/api/status/buildinfo",
        )
    ),
)
TEXTS = st.text(max_size=12)
HEADERS = st.none() | st.sampled_from(("red", "red|blue", "", "|", "..", "a" * 151, "a/b")) | st.text(max_size=8)


@pytest.fixture(scope="module")
def application() -> Starlette:
    spans = [span(1, 1 + number, number, at_s=number, attributes={"x": number, "y": 0.5}) for number in range(4)]
    stored = unit(request(*spans))
    return Api(Queriers(lambda _: (stored,)), Workers(), Metrics(), Path("nowhere"), {}).application()


@pytest.fixture(scope="module")
def of_tenants() -> Starlette:
    stored = unit(request(span(1, 1)))
    return Api(
        Queriers(lambda _: (stored,), multitenancy=True), Workers(), Metrics(), Path("nowhere"), {}
    ).application()


def asked(
    application: Starlette, path: str, query: str, headers: Sequence[tuple[bytes, bytes]] = (), method: str = "GET"
) -> tuple[int, bytes]:
    """The status and body of an answer; an exception that nothing turned into an answer is raised here."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(errors="replace")}
    scope |= {"query_string": query.encode(), "headers": list(headers), "root_path": ""}
    asyncio.run(application(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def refused_in_a_line(status: int, body: bytes) -> None:
    assert status in {200, 400, 401, 404, 405, 412, 422, 428, 503}, body
    if status != 200:
        assert b"Traceback" not in body


@given(path=PATHS, chosen=PARAMETERS)
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_parameters_at_the_edge(application: Starlette, path: str, chosen: dict[str, int]) -> None:
    given = {name: FIELDS[name][number % len(FIELDS[name])] for name, number in chosen.items()}
    refused_in_a_line(*asked(application, path, urlencode(given)))


@given(path=PATHS, given=st.dictionaries(st.sampled_from(sorted(FIELDS)), st.text(max_size=30), max_size=3))
@settings(max_examples=100, deadline=None)
def test_parameters_of_any_text(application: Starlette, path: str, given: dict[str, str]) -> None:
    query = "&".join(f"{name}={quote(value.encode('utf-8', 'surrogatepass'))}" for name, value in given.items())
    refused_in_a_line(*asked(application, path, query))


@pytest.mark.parametrize("path", ["/api/search", "/api/metrics/query_range", "/api/v2/traces/1"])
@pytest.mark.parametrize("name", sorted(FIELDS))
def test_each_value(application: Starlette, path: str, name: str) -> None:
    for value in FIELDS[name]:
        refused_in_a_line(*asked(application, path, urlencode({"q": "{ }", name: value})))


@given(
    path=PATHS | TEXTS.map("/api/traces/{}".format) | TEXTS.map("/api/v2/search/tag/{}/values".format),
    tenants=HEADERS,
    more=st.dictionaries(
        st.sampled_from(("accept", "if-match", "content-length", "accept-encoding")), TEXTS, max_size=2
    ),
    method=st.sampled_from(("GET", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")),
)
@settings(max_examples=150, deadline=None)
def test_headers_and_paths_of_any_text(
    of_tenants: Starlette, path: str, tenants: str | None, more: dict[str, str], method: str
) -> None:
    given = more if tenants is None else {**more, "x-scope-orgid": tenants}
    headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in given.items()]
    status, body = asked(of_tenants, path, "", headers, method)
    refused_in_a_line(status, body)
    assert status != 200 or tenants not in ("", "|", "..") or not path.startswith("/api/search")


STRANGE = st.sampled_from((0, 1, NOW, NOW + SECOND, 2**63 - 1, 2**63, 2**64 - 1))
STRINGS = st.sampled_from(QUERIES) | TEXTS
NUMBERS_SENT = st.sampled_from((0, 1, S, S + 1, 2**31, 2**32 - 1))


@st.composite
def sent(draw: st.DrawFn) -> tuple[str, bytes]:
    """A method of the gRPC service, and what may be a request of it."""
    method = draw(st.sampled_from(sorted(_METHODS)))
    if draw(st.booleans()):
        return method, draw(st.binary(max_size=40))
    message = MESSAGES[_METHODS[method][0]]()
    for field in message.DESCRIPTOR.fields:
        if field.type == field.TYPE_STRING and draw(st.booleans()):
            setattr(message, field.name, draw(STRINGS).encode("utf-8", "replace").decode())
        elif not field.is_repeated and field.type == field.TYPE_UINT32 and draw(st.booleans()):
            setattr(message, field.name, draw(NUMBERS_SENT))
        elif not field.is_repeated and field.type == field.TYPE_UINT64 and draw(st.booleans()):
            setattr(message, field.name, draw(STRANGE))
    return method, message.SerializeToString()


@given(sent(), st.lists(st.tuples(STRANGE, STRANGE), max_size=3))
@settings(max_examples=150, deadline=None)
def test_what_is_sent_over_grpc_is_answered_or_refused(asked: tuple[str, bytes], times: list[tuple[int, int]]) -> None:
    spans = [span(number + 1, 1, attributes={"x": number}) for number in range(len(times))]
    for one, (start, end) in zip(spans, times, strict=True):
        one.start_time_unix_nano, one.end_time_unix_nano = start, end
    stored = unit(request(span(9, 9), *spans))
    kind, answer, _, work = _METHODS[asked[0]]
    try:
        message = MESSAGES[kind].FromString(asked[1])
        found = work(Queriers(lambda _: (stored,)).reading(None), message, lambda: None, decline)
    except tuple(_CODES):
        return
    assert ParseDict(found, MESSAGES[answer]()).IsInitialized()
