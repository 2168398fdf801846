"""Answers are read, and what no correct backend answers is called wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.query.fake_tempo import TRACE_ID, in_response, search_answer, trace

from vivace.query.answer import Failed, Failure, FoundTrace
from vivace.query.answers.search import read_search
from vivace.query.answers.trace import read_trace, read_trace_v1
from vivace.query.bucket import Window

WINDOW = Window(1000, 1100)


def found(**changes: Any) -> bytes:
    one = {"traceID": TRACE_ID, "startTimeUnixNano": "1050000000000", "durationMs": 100} | changes
    return json.dumps({"traces": [{key: value for key, value in one.items() if value is not None}]}).encode()


def test_a_search_is_counted() -> None:
    found = read_search(search_answer(1100, traces=3), WINDOW, 4)
    assert (found.traces, found.spans, found.inspected_spans, found.limited) == (3, 6, 1234, False)
    assert found.seen[0] == FoundTrace(TRACE_ID.rjust(32, "0"), 5, ("0000000000000001", "0000000000000002"))
    assert found.first == TRACE_ID.rjust(32, "0")


@pytest.mark.parametrize("body", [b"{}", b'{"traces": []}', b'{"traces": null, "metrics": {}}'])
def test_nothing_found_is_a_good_answer(body: bytes) -> None:
    found = read_search(body, WINDOW, 1)
    assert (found.traces, found.spans, found.first, found.nothing) == (0, 0, None, True)


def test_the_same_answer_has_the_same_digest_in_any_order() -> None:
    whole = json.loads(search_answer(1100, traces=3))
    turned = json.dumps({"traces": whole["traces"][::-1]}).encode()
    fewer = json.dumps({"traces": whole["traces"][:2]}).encode()
    first, second, third = (read_search(body, WINDOW, 4).digest for body in (json.dumps(whole).encode(), turned, fewer))
    assert first == second != third


def test_an_answer_that_may_be_one_of_many_has_no_digest() -> None:
    found = read_search(search_answer(1100, traces=3), WINDOW, 3)
    assert (found.limited, found.digest) == (True, None)


def test_the_deprecated_single_spanset_counts_too() -> None:
    assert read_search(found(spanSet={"spans": [{}, {}]}), WINDOW, 1).spans == 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"traces": [{"traceID": "ab"',
        b"[]",
        b'"traces"',
        b'{"traces": 5}',
        b'{"traces": [5]}',
        b'{"traces": [{}]}',
        b'{"traces": [{"traceID": "ab", "startTimeUnixNano": "soon"}]}',
        b'{"traces": [{"traceID": "ab", "spanSets": 5}]}',
        b'{"metrics": {"inspectedSpans": []}}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
    ids=repr,
)
def test_what_is_no_answer_is_unreadable(body: bytes) -> None:
    with pytest.raises(Failed) as caught:
        read_search(body, WINDOW, 20)
    assert caught.value.failure is Failure.UNREADABLE


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (search_answer(1100, traces=21), "21 traces, although the limit is 20"),
        (found(traceID=""), "is no trace ID"),
        (found(traceID="xyz"), "xyz' is no trace ID"),
        (json.dumps({"traces": [{"traceID": "a"}, {"traceID": "0A"}]}).encode(), "a trace is there twice"),
        (found(traceID="0" * 32), "is no trace ID"),
        (found(traceID="1" * 33), "is no trace ID"),
        (found(startTimeUnixNano="1102100000000"), "2.1 s outside the window"),
        (found(startTimeUnixNano="997800000000"), "2.1 s outside the window"),
    ],
)
def test_what_cannot_be_right_is_wrong(body: bytes, says: str) -> None:
    with pytest.raises(Failed, match=says) as caught:
        read_search(body, WINDOW, 20)
    assert caught.value.failure is Failure.WRONG


@pytest.mark.parametrize("start_ns", [998_000_000_000, 1_101_900_000_000, 900_000_000_000, None])
def test_a_trace_may_touch_the_window(start_ns: int | None) -> None:
    start = None if start_ns is None else str(start_ns)
    duration_ms = 100_000 if start_ns == 900_000_000_000 else 100
    assert read_search(found(startTimeUnixNano=start, durationMs=duration_ms), WINDOW, 20).traces == 1


def test_a_trace_is_counted() -> None:
    for read, body in ((read_trace, in_response(trace(TRACE_ID, 200))), (read_trace_v1, trace(TRACE_ID, 200))):
        found = read(body, TRACE_ID)
        assert (found.traces, found.spans, len(found.seen[0].spans)) == (1, 200, 200)


def test_what_is_no_trace_is_unreadable() -> None:
    for read in (read_trace, read_trace_v1):
        for body in (b"\xff", b"<html>", in_response(trace(TRACE_ID, 3))[:-5]):
            with pytest.raises(Failed) as caught:
                read(body, TRACE_ID)
            assert caught.value.failure is Failure.UNREADABLE


def test_no_trace_is_an_answer() -> None:
    found = read_trace(b"", TRACE_ID)
    assert (found.traces, found.spans, found.nothing) == (0, 0, True)


def test_another_trace_is_wrong() -> None:
    with pytest.raises(Failed, match=r"holds a span of trace 0{31}1") as other:
        read_trace(in_response(trace("1", 1)), TRACE_ID)
    assert other.value.failure is Failure.WRONG
