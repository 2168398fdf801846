"""The gRPC service, asked over loopback as Grafana asks it."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.json_format import MessageToDict
from tests.backend.query.samples import NOW, SECOND, catalogue, request, span, unit

from vivace.backend.query import streaming
from vivace.backend.query.exposition import Metrics
from vivace.backend.query.querier import Querier
from vivace.backend.query.queriers import Queriers, Reading
from vivace.backend.query.streaming import streaming_server
from vivace.backend.query.tempopb import MESSAGES, SERVICE
from vivace.backend.query.unforeseen import Unforeseen
from vivace.backend.query.workers import Workers
from vivace.backend.tenant.limits import Read
from vivace.errors import QueryError

UNITS = 6
WINDOW = {"start": NOW // SECOND - 60, "end": NOW // SECOND + 60}


class Service:
    """A server in a thread of its own."""

    def __init__(self, queriers: Queriers, workers: Workers) -> None:
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self._queriers, self._workers = queriers, workers
        self.reported: list[str] = []
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        assert self._ready.wait(10)
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        unforeseen = Unforeseen(self.reported.append)
        server, address = streaming_server(
            self._queriers, self._workers, Metrics(), "127.0.0.1:0", unforeseen=unforeseen
        )
        self.port = address.port
        await server.start()
        self._ready.set()
        await self._stop.wait()
        await server.stop(1)

    def close(self) -> None:
        self.channel.close()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()
        self._workers.close()

    def call(self, method: str, kind: str, **fields: Any) -> Any:
        ask: grpc.UnaryStreamMultiCallable[bytes, bytes] = self.channel.unary_stream(f"/{SERVICE}/{method}")
        return ask(MESSAGES[kind](**fields).SerializeToString(), timeout=20)

    def ask(self, method: str, kind: str, answer: str, **fields: Any) -> list[dict[str, Any]]:
        messages = [MESSAGES[answer].FromString(packet) for packet in self.call(method, kind, **fields)]
        return [MessageToDict(message) for message in messages]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    units = [
        unit(request(span(10 + number, 1, name=f"n{number}", at_s=-number, attributes={"x": number, "y": "v"})))
        for number in range(UNITS)
    ]
    made = Service(Queriers(lambda _: tuple(units)), Workers())
    yield made
    made.close()


def search(service: Service, **fields: Any) -> list[dict[str, Any]]:
    return service.ask("Search", "SearchRequest", "SearchResponse", **fields)


def test_a_search_ends_with_the_whole_answer(service: Service) -> None:
    *_, last = search(service, Query="{ .x >= 1 }", Limit=3, SpansPerSpanSet=2)
    assert [trace["rootTraceName"] for trace in last["traces"]] == ["n1", "n2", "n3"]
    (shown,) = last["traces"][0]["spanSets"][0]["spans"]
    assert shown["attributes"] == [{"key": "x", "value": {"intValue": "1"}}]
    assert last["traces"][0]["serviceStats"] == {"shop": {"spanCount": 1}}
    assert last["metrics"]["inspectedTraces"] == UNITS


def test_partial_answers_come_first(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "EVERY_S", 0.0)
    answers = search(service, Query="{ .x >= 0 }")
    counts = [len(answer["traces"]) for answer in answers]
    assert counts == sorted(counts)
    assert len(counts) > 1
    assert counts[-1] == UNITS
    assert "metrics" in answers[-1]
    assert "metrics" not in answers[0]
    counted = service.ask(
        "MetricsQueryRange", "QueryRangeRequest", "QueryRangeResponse", query="{ } | count_over_time()", **WINDOW
    )
    totals = [
        sum(sample["value"] for sample in answer["series"][0]["samples"] if "value" in sample) for answer in counted
    ]
    assert totals == sorted(totals)
    assert len(totals) > 1
    assert totals[-1] == UNITS


def test_a_search_by_tags(service: Service) -> None:
    *_, last = search(service, Tags={"y": "V", "x": "2"}, MinDurationMs=500)
    assert [trace["rootTraceName"] for trace in last["traces"]] == ["n2"]


def test_metrics(service: Service) -> None:
    nanoseconds = {name: value * SECOND for name, value in WINDOW.items()}
    *_, ranged = service.ask(
        "MetricsQueryRange",
        "QueryRangeRequest",
        "QueryRangeResponse",
        query="{ } | rate()",
        step=10 * SECOND,
        **nanoseconds,
    )
    assert sum(sample.get("value", 0) for sample in ranged["series"][0]["samples"]) == pytest.approx(UNITS / 10)
    *_, instant = service.ask(
        "MetricsQueryInstant", "QueryInstantRequest", "QueryInstantResponse", query="{ } | count_over_time()", **WINDOW
    )
    assert instant["series"][0]["value"] == UNITS


def test_tags(service: Service) -> None:
    (names,) = service.ask("SearchTags", "SearchTagsRequest", "SearchTagsResponse", scope="span")
    assert names["tagNames"] == ["x", "y"]
    (scopes,) = service.ask(
        "SearchTagsV2", "SearchTagsRequest", "SearchTagsV2Response", scope="span", maxTagsPerScope=1
    )
    assert scopes["scopes"] == [{"name": "span", "tags": ["x"]}]
    (old,) = service.ask("SearchTagValues", "SearchTagValuesRequest", "SearchTagValuesResponse", tagName="y")
    assert old["tagValues"] == ["v"]
    (new,) = service.ask(
        "SearchTagValuesV2", "SearchTagValuesRequest", "SearchTagValuesV2Response", tagName="span.y", query="{ .x = 3 }"
    )
    assert new["tagValues"] == [{"type": "string", "value": "v"}]


@pytest.mark.parametrize(
    ("key", "value"), [("a b", "v w"), ('q"=\\', 'x"y\\'), ("line\nbreak", "a\nb"), ("k=", " "), ("", "nameless")]
)
def test_a_tag_may_be_any_text(key: str, value: str) -> None:
    stored = [
        unit(request(span(number, 1, name=name, attributes={key: name}))) for number, name in ((1, value), (2, "-"))
    ]
    service = Service(Queriers(lambda _: stored), Workers())
    try:
        *_, last = search(service, Tags={key: value})
    finally:
        service.close()
    assert [trace["rootTraceName"] for trace in last["traces"]] == [value]


def test_a_search_by_very_many_tags(service: Service) -> None:
    *_, last = search(service, Tags={"y": "v"} | {f"k{number}": "v" for number in range(2000)})
    assert "traces" not in last


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"Query": "{ x }"}, "invalid TraceQL query: parse error"), ({"start": 5}, "only one of start and end provided")],
)
def test_what_is_wrong_is_said(service: Service, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        search(service, **fields)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert words in (caught.value.details() or "")


def test_what_is_no_message_is_refused(service: Service) -> None:
    ask: grpc.UnaryStreamMultiCallable[bytes, bytes] = service.channel.unary_stream(f"/{SERVICE}/Search")
    with pytest.raises(grpc.RpcError) as caught:
        list(ask(b"\xff\xff\xff", timeout=20))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_large_answer_comes_in_pieces(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "PACKET_BYTES", 300)
    monkeypatch.setattr(streaming, "EVERY_S", 3600.0)
    answers = search(service, Query="{ .x >= 0 }")
    assert len(answers) > 1
    assert sum(len(answer["traces"]) for answer in answers) == UNITS


class Slow(Querier):
    """Answers nothing until nobody waits any more."""

    def __init__(self) -> None:
        super().__init__(catalogue())
        self.started, self.ended = threading.Event(), threading.Event()

    def search(self, parameters: object, check: Callable[[], None], offer: object = None) -> dict[str, object]:  # noqa: ARG002
        self.started.set()
        try:
            while True:
                check()
                threading.Event().wait(0.005)
        finally:
            self.ended.set()


class Only(Queriers):
    """One querier, whoever asks."""

    def __init__(self, querier: Querier, seconds: float = 60.0) -> None:
        super().__init__(lambda _: ())
        self.only = Reading(querier, "one", Read(max_query_time=seconds))

    def reading(self, header: str | None) -> Reading:  # noqa: ARG002
        return self.only


def test_a_query_ends_when_the_client_cancels_it_and_others_are_refused_meanwhile() -> None:
    slow = Slow()
    service = Service(Only(slow), Workers(threads=1, waiting=0))
    try:
        call = service.call("Search", "SearchRequest", Query="{ }")
        assert slow.started.wait(10)
        with pytest.raises(grpc.RpcError) as caught:
            search(service, Query="{ }")
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        call.cancel()
        assert slow.ended.wait(10)
    finally:
        service.close()


def test_a_query_past_its_time_is_ended() -> None:
    slow = Slow()
    service = Service(Only(slow, 0.1), Workers())
    try:
        with pytest.raises(grpc.RpcError) as caught:
            search(service, Query="{ }")
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert slow.ended.wait(10)
    finally:
        service.close()


class Answer(dict[str, object]):
    """An answer that can be watched."""


class Failing(Querier):
    """Offers a part of an answer, and fails with much in its hands."""

    def __init__(self, kind: type[Exception]) -> None:
        super().__init__(catalogue())
        self._kind = kind
        self.held: list[weakref.ref[object]] = []

    def search(self, parameters: object, check: object, offer: Callable[[Callable[[], object]], None]) -> Any:  # type: ignore[override] # noqa: ARG002
        table, part = np.zeros(1000), Answer()
        self.held += [weakref.ref(table), weakref.ref(part)]
        offer(lambda: part)
        try:
            self._work(table)
        except LookupError as error:
            raise QueryError("cannot be done") from error

    def _work(self, table: object) -> None:  # noqa: ARG002 - it is held meanwhile
        raise self._kind("cannot be done")


@pytest.mark.parametrize("kind", [QueryError, LookupError, OSError, ZeroDivisionError])
def test_a_query_that_failed_leaves_nothing_for_the_collector_of_garbage(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "EVERY_S", 0.0)
    failing = Failing(kind)
    service = Service(Only(failing), Workers())
    gc.disable()
    try:
        for _ in range(3):
            with pytest.raises(grpc.RpcError, match=r"cannot be done|internal error: ZeroDivisionError"):
                search(service, Query="{ }")
        deadline = time.monotonic() + 10
        while any(held() is not None for held in failing.held):
            assert time.monotonic() < deadline, [held() is None for held in failing.held]
            time.sleep(0.05)
    finally:
        gc.enable()
        service.close()


def test_what_nobody_thought_of_is_said_in_one_line_and_reported_once() -> None:
    service = Service(Only(Failing(RecursionError)), Workers())
    try:
        for _ in range(3):
            with pytest.raises(grpc.RpcError) as caught:
                search(service, Query="{ }")
            assert caught.value.code() is grpc.StatusCode.INTERNAL
            assert caught.value.details() == "internal error: RecursionError; the backend has reported it"
        (line,) = service.reported
        assert "RecursionError at vivace.backend.query.streaming:" in line
        assert line.endswith(": cannot be done")
    finally:
        service.close()


def test_metrics_carry_exemplars_and_say_when_series_are_left_out(service: Service) -> None:
    window = {"start": (NOW // SECOND - 60) * SECOND, "end": (NOW // SECOND + 60) * SECOND, "step": 60 * SECOND}
    fields = {"query": "{ } | rate() by (name)", "exemplars": 2, "maxSeries": 2, **window}
    *_, last = service.ask("MetricsQueryRange", "QueryRangeRequest", "QueryRangeResponse", **fields)
    assert last["status"] == "PARTIAL"
    assert "maximum series limit of 2" in last["message"]
    found = [exemplar for one in last["series"] for exemplar in one["exemplars"]]
    assert [one["labels"] for one in found] == [
        [{"key": "trace:id", "value": {"stringValue": f"{10 + number:x}"}}] for number in range(2)
    ]
    assert [one["timestampMs"] for one in found] == [str((NOW // SECOND - number) * 1000) for number in range(2)]
